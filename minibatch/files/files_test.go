package files_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2/ocf"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"weir/minibatch"
	"weir/minibatch/files"
	"weir/minibatch/minibatchtest"
	"weir/minibatch/table"
)

type order struct {
	ID    string
	Cents int64
	At    *time.Time `csv:"ordered at" json:"ordered at"`
}

type bought struct {
	ID, File string
	Line     int64
	Euros    float64
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func sell(_ context.Context, _ minibatch.Part, in iter.Seq2[files.Record[order], error], emit minibatch.Emit[bought]) error {
	for r, err := range in {
		if err == nil {
			err = emit(bought{r.Value.ID, filepath.Base(r.File), r.Line, float64(r.Value.Cents) / 100})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// What lies in files goes into a table exactly once, whatever breaks: good records and bad ones, in whole files and in pieces.
func TestFromFilesToATableExactlyOnce(t *testing.T) {
	in := t.TempDir()
	write(t, in, "a.csv", "id,cents,ordered at\na1,100,2026-11-20T10:00:00Z\na2,much,\n\"a3\n,x\",300,\n")
	write(t, in, "b.csv", "ordered at,id,cents\n,b1,100\n,b2\n")
	write(t, in, "a.json", `{"id":"c1","cents":1}`+"\n{}}\n"+`{"id":"c2","cents":2}`+"\n\n"+`{"id":"c3","cents":3}`)
	write(t, in, "b.json", `{"id":"d1","cents":"1"}`)
	for pattern, f := range map[string]files.Format[order]{"*.csv": files.CSV[order](), "*.json": files.JSON[order]()} {
		t.Run(pattern, func(t *testing.T) {
			minibatchtest.Crash(t, func() minibatchtest.Trial[files.Record[order], bought] {
				dir := t.TempDir()
				open := func() *table.Lake {
					l, err := table.Open(context.Background(), table.Home(dir))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = l.Close() })
					return l
				}
				return minibatchtest.Trial[files.Record[order], bought]{
					Job: func() minibatch.Job[files.Record[order], bought] {
						src, err := files.From(context.Background(), in+"/"+pattern, f)
						if err != nil {
							t.Fatal(err)
						}
						dst, err := table.Append[bought](context.Background(), open(), "shop.bought")
						if err != nil {
							t.Fatal(err)
						}
						return minibatch.Job[files.Record[order], bought]{Name: "buy", Source: src, Transform: sell, Sink: dst, OneToOne: true, Limits: minibatch.Limits{Bytes: 30}}
					},
					Rows: func() (out []string) {
						l := open()
						for r, err := range table.Read[bought](context.Background(), l, "shop.bought") {
							if err != nil {
								t.Fatal(err)
							}
							out = append(out, fmt.Sprintf("%s %s %.2f", r.ID, r.File, r.Euros))
						}
						type refused struct{ Reason, Row string }
						for r, err := range table.Read[refused](context.Background(), l, "shop.bought__quarantine") {
							if err != nil { // there is none before the first refused row
								break
							}
							out = append(out, r.Reason+" "+r.Row)
						}
						return out
					},
				}
			})
		})
	}
}

// shelf is a sink in memory; it keeps refused rows.
type shelf[T any] struct {
	rows    []T
	refused []minibatch.Refused
	at      minibatch.Cursor
	batches int
}

func (s *shelf[T]) KeepsRefused() {}

func (s *shelf[T]) Position(context.Context, string) (minibatch.Cursor, error) { return s.at, nil }

func (s *shelf[T]) Stage(_ context.Context, _ minibatch.Part, in iter.Seq2[T, error]) (minibatch.Staged, error) {
	var rows []T
	for r, err := range in {
		if err != nil {
			return minibatch.Staged{}, err
		}
		rows = append(rows, r)
	}
	return minibatch.Staged{Rows: int64(len(rows)), Value: rows}, nil
}

func (s *shelf[T]) Commit(_ context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	if !s.at.Equal(b.From) {
		return minibatch.Receipt{}, minibatch.ErrMoved
	}
	for _, p := range parts {
		s.rows, s.refused = append(s.rows, p.Value.([]T)...), append(s.refused, p.Refused...)
	}
	s.at = b.To
	s.batches++
	return minibatch.Receipt{}, nil
}

func (s *shelf[T]) Abort(context.Context, []minibatch.Staged) error { return nil }

func (s *shelf[T]) take() (rows []T) {
	rows, s.rows = s.rows, nil
	return rows
}

// drain takes what is new, with a source of its own, as a new process does.
func drain[T any](t *testing.T, s *shelf[files.Record[T]], pattern string, f files.Format[T], bytes int64, opt ...files.Option) error {
	t.Helper()
	src, err := files.From(t.Context(), pattern, f, opt...)
	if err != nil {
		return err
	}
	return run(t, s, src, bytes)
}

func run[T any](t *testing.T, s *shelf[files.Record[T]], src *files.Source[T], bytes int64) error {
	t.Helper()
	copyAll := func(_ context.Context, _ minibatch.Part, in iter.Seq2[files.Record[T], error], emit minibatch.Emit[files.Record[T]]) error {
		for r, err := range in {
			if err == nil {
				err = emit(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	_, err := minibatch.Run(t.Context(), minibatch.Job[files.Record[T], files.Record[T]]{
		Name: "copy", Source: src, Transform: copyAll, Sink: s, OneToOne: true, Limits: minibatch.Limits{Bytes: bytes},
		Retry: minibatch.Retry{For: time.Second, Base: time.Millisecond},
	}, minibatch.Drain)
	return err
}

func texts(rows []files.Record[string]) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.Value)
	}
	return strings.Join(out, " ")
}

func TestAFileIsTakenOnceByItsContent(t *testing.T) {
	in := t.TempDir()
	s := &shelf[files.Record[string]]{}
	step := func(what, want string, opt ...files.Option) {
		t.Helper()
		err := drain(t, s, in+"/**/*.txt", files.Lines(), 0, opt...)
		if got := texts(s.take()); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", what, got, err, want)
		}
	}
	a := write(t, in, "m/a.txt", "one\ntwo\n")
	write(t, in, "m/empty.txt", "")
	write(t, in, "m/_hidden.txt", "no")
	step("first", "one two")
	step("again", "")
	if err := os.Chtimes(a, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	step("touched", "")
	write(t, in, "k/late.txt", "late") // its name lies before the one that was taken
	step("late", "late")
	write(t, in, "z.txt", "one\ntwo\n")
	step("delivered again under another name", "")
	step("by name", "one two", files.ByName())
}

func TestAFileThatChangedStopsTheJob(t *testing.T) {
	in := t.TempDir()
	s := &shelf[files.Record[string]]{}
	write(t, in, "a.txt", "one\n")
	if err := drain(t, s, in+"/*.txt", files.Lines(), 0); err != nil {
		t.Fatal(err)
	}
	write(t, in, "a.txt", "one\ntwo\n")
	err := drain(t, s, in+"/*.txt", files.Lines(), 0)
	if err == nil || !strings.Contains(err.Error(), "a.txt was taken, and has other content now (8 bytes") || len(s.take()) != 1 {
		t.Errorf("got %v", err)
	}
	if err = drain(t, s, in+"/*.txt", files.Lines(), 0, files.TakeChanged()); err != nil || texts(s.take()) != "one two" {
		t.Errorf("got %v", err)
	}
}

func TestWhatWasBegunIsFinished(t *testing.T) {
	in := t.TempDir()
	write(t, in, "a.txt", "one\ntwo\nthree\n")
	src, err := files.From(t.Context(), in+"/*.txt", files.Lines())
	if err != nil {
		t.Fatal(err)
	}
	b, err := src.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Bytes: 5})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf[files.Record[string]]{at: b.To}
	write(t, in, "0.txt", "zero")
	if err := os.Rename(in+"/a.txt", in+"/b.txt"); err != nil {
		t.Fatal(err)
	}
	if err := drain(t, s, in+"/*.txt", files.Lines(), 0); err != nil || texts(s.take()) != "three zero" {
		t.Errorf("got %v", err)
	}
	s.at = b.To
	if err := os.Remove(in + "/b.txt"); err != nil {
		t.Fatal(err)
	}
	if err := drain(t, s, in+"/*.txt", files.Lines(), 0); err == nil || !strings.Contains(err.Error(), "a.txt was taken up to byte 5, and is gone") {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsForgottenInSilence(t *testing.T) {
	in := t.TempDir()
	s := &shelf[files.Record[string]]{}
	for i := range 3 {
		write(t, in, fmt.Sprintf("%d.txt", i), fmt.Sprint(i))
	}
	if err := drain(t, s, in+"/*.txt", files.Lines(), 0, files.Remember(3)); err != nil {
		t.Fatal(err)
	}
	write(t, in, "3.txt", "3")
	err := drain(t, s, in+"/*.txt", files.Lines(), 0, files.Remember(3))
	if err == nil || !strings.Contains(err.Error(), "4 files that were taken still fit") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(in + "/1.txt"); err != nil {
		t.Fatal(err)
	}
	if err := drain(t, s, in+"/*.txt", files.Lines(), 0, files.Remember(3)); err != nil || texts(s.take()) != "0 1 2 3" {
		t.Errorf("got %v", err)
	}
}

// However a file is cut into pieces and batches, its lines are the same, in the same order, each with its place.
func TestPiecesOfAFileAreTheWholeFile(t *testing.T) {
	in := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		var text strings.Builder
		var want []string
		for i := range r.IntN(30) {
			line := strings.Repeat(fmt.Sprint(i%10), r.IntN(12))
			want = append(want, fmt.Sprintf("%d:%s", text.Len(), line))
			text.WriteString(line + []string{"\n", "\r\n"}[r.IntN(2)])
		}
		if r.IntN(2) == 0 {
			want = append(want, fmt.Sprintf("%d:end", text.Len()))
			text.WriteString("end")
		}
		dir := fmt.Sprintf("%s/%d", in, n)
		write(t, dir, "x.txt", text.String())
		for _, size := range []int64{1, 2, 3, 7, 50, 1000} {
			s := &shelf[files.Record[string]]{}
			err := drain(t, s, dir+"/x.txt", files.Lines(), size)
			var got []string
			for i, x := range s.rows {
				got = append(got, fmt.Sprintf("%d:%s", x.Offset, x.Value))
				if x.Line > 0 && x.Line != int64(i+1) {
					t.Errorf("line %d is told as %d", i+1, x.Line)
				}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("pieces of %d bytes of %q: got %q, %v; want %q", size, text.String(), got, err, want)
			}
			if size == 1 && s.batches < len(want) {
				t.Errorf("%d batches for %d lines", s.batches, len(want))
			}
		}
	}
}

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	in := t.TempDir()
	path := write(t, in, "a.txt", "one\ntwo\n")
	src, err := files.From(t.Context(), in+"/*.txt", files.Lines())
	if err != nil {
		t.Fatal(err)
	}
	b, err := src.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Bytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for r, err := range src.Open(t.Context(), b.Parts[0]) {
		last = err
		if r.Value == "one" {
			write(t, in, "a.txt", "one\ntwo\nthree\n")
		}
	}
	if last == nil || !strings.Contains(last.Error(), path+": the file changed since the batch was planned") {
		t.Errorf("got %v", last)
	}
	s := &shelf[files.Record[string]]{}
	if err := run(t, s, src, 100); err != nil || texts(s.rows) != "one two three" {
		t.Errorf("got %v", err)
	}
}

func TestFilesOnS3(t *testing.T) {
	mem := s3mem.New()
	if err := mem.CreateBucket("in"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(mem).Server())
	defer srv.Close()
	access := files.With(files.Access{S3Endpoint: srv.URL, S3AccessKey: "id", S3SecretKey: "key"})
	put := func(key, text string) {
		if _, err := mem.PutObject("in", key, map[string]string{}, strings.NewReader(text), int64(len(text)), nil); err != nil {
			t.Fatal(err)
		}
	}
	s := &shelf[files.Record[string]]{}
	put("d/2026/a.txt", "one\ntwo\nthree\n")
	put("d/other.csv", "x")
	for _, size := range []int64{5, 100} {
		if err := drain(t, s, "s3://in/d/**/*.txt", files.Lines(), size, access); err != nil || texts(s.take()) != map[int64]string{5: "one two three", 100: ""}[size] {
			t.Errorf("got %v", err)
		}
	}
	put("d/2026/a.txt", "one\ntwo\nfour\n")
	if err := drain(t, s, "s3://in/d/**/*.txt", files.Lines(), 5, access); err == nil || !strings.Contains(err.Error(), "s3://in/d/2026/a.txt was taken, and has other content now") {
		t.Errorf("got %v", err)
	}
	if err := drain(t, s, "s3://nowhere/*.txt", files.Lines(), 5, access); err == nil || !strings.Contains(err.Error(), "find files: list s3://nowhere/*.txt: file does not exist") {
		t.Errorf("got %v", err)
	}
}

// refusals gives values and refused records as a text.
func refusals[T any](s *shelf[files.Record[T]]) string {
	var out []string
	for _, r := range s.rows {
		out = append(out, fmt.Sprintf("%d@%d %+v", r.Line, r.Offset, r.Value))
	}
	for _, r := range s.refused {
		x := r.Row.(files.Refused)
		_, why, _ := strings.Cut(r.Reason, x.File)
		out = append(out, fmt.Sprintf("refused%s <%s%x>", why, x.Text, x.Bytes))
	}
	return strings.Join(out, "\n")
}

func TestCSV(t *testing.T) {
	type row struct {
		A string
		B *int32 `csv:"b b"`
	}
	tail := strings.Repeat("y,1\n", 400_000)
	for name, c := range map[string]struct{ text, want string }{
		"header, BOM, quotes, CRLF": {"\xef\xbb\xbfb b,a,z\r\n,\"x, \"\"q\"\"\r\ny\",\r\n", "2@12 {A:x, \"q\"\ny B:<nil>}"},
		"too few fields":            {"a,b b\nx\ny,\n", "3@8 {A:y B:<nil>}\nrefused:2: expected 2 fields, got 1 <x>"},
		"not a number":              {"a,b b\n\n\nx,1e3\n", "refused:4: column b b: expected an integer of 32 bits, got \"1e3\" <x,1e3>"},
		"a bare quote":              {"a,b b\nx\"x,\ny,\n", "3@11 {A:y B:<nil>}\nrefused:2: character 2: bare \" in non-quoted-field <x\"x,>"},
		"a quote never closed":      {"a,b b\n\"x,\ny,\nz,\n", "3@10 {A:y B:<nil>}\n4@13 {A:z B:<nil>}\nrefused:2: the quote is not closed, or what follows its end is no comma <\"x,>"},
		"no UTF-8":                  {"a,b b\n\xff,z\n", "refused:2: column b b: expected an integer of 32 bits, got \"z\" <ff2c7a>"},
		"only a header":             {"a,b b\n", ""},
		"only empty lines":          {"\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := t.TempDir()
			write(t, in, "x.csv", c.text)
			s := &shelf[files.Record[row]]{}
			if err := drain(t, s, in+"/*.csv", files.CSV[row](), 0); err != nil || refusals(s) != c.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, refusals(s), c.want)
			}
		})
	}
	t.Run("a quote never closed takes no more than its line, however much follows", func(t *testing.T) {
		in := t.TempDir()
		write(t, in, "x.csv", "a,b b\n\"x,\n"+tail)
		s := &shelf[files.Record[row]]{}
		err := drain(t, s, in+"/*.csv", files.CSV[row](), 0)
		if err != nil || len(s.rows) != 400_000 || len(s.refused) != 1 || s.rows[399_999].Line != 400_002 || !strings.Contains(s.refused[0].Reason, ":2: the quote is not closed") {
			t.Errorf("got %v, %d rows, %v", err, len(s.rows), s.refused)
		}
	})
	t.Run("what is wrong with the whole file or with the type", func(t *testing.T) {
		in := t.TempDir()
		write(t, in, "x.csv", "a,c\nx,1\n")
		s := &shelf[files.Record[row]]{}
		if err := drain(t, s, in+"/*.csv", files.CSV[row](), 0); err == nil || !strings.Contains(err.Error(), `x.csv:1: there is no column "b b", only a, c`) {
			t.Errorf("got %v", err)
		}
		if _, err := files.From(t.Context(), in+"/*.csv", files.CSV[struct{ A chan int }]()); err == nil || !strings.Contains(err.Error(), "a CSV column cannot be chan int") {
			t.Errorf("got %v", err)
		}
		if err := drain(t, s, in+"/nope/*.csv", files.CSV[row](), 0); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another dialect", func(t *testing.T) {
		in := t.TempDir()
		write(t, in, "x.csv", "# made by hand\nx;7\n")
		s := &shelf[files.Record[row]]{}
		f := files.CSV[struct{ A, B string }](files.Dialect{Comma: ';', Comment: '#', Header: []string{"a", "b"}})
		w := &shelf[files.Record[struct{ A, B string }]]{}
		if err := drain(t, w, in+"/*.csv", f, 0); err != nil || refusals(w) != "2@15 {A:x B:7}" {
			t.Errorf("got %v %s", err, refusals(s))
		}
	})
}

func TestJSON(t *testing.T) {
	in := t.TempDir()
	write(t, in, "x.json", `{"id":"a","cents":1}`+"\n \n"+`{"id":"b","cents":"2"}`+"\n{\n"+`[1]`)
	s := &shelf[files.Record[order]]{}
	want := "1@0 {ID:a Cents:1 At:<nil>}\n" +
		`refused:3: field Cents: expected int64, got string <{"id":"b","cents":"2"}>` + "\n" +
		"refused:4: no JSON: column 1: unexpected end of JSON input <{>\n" +
		"refused:5: expected files_test.order, got array <[1]>"
	if err := drain(t, s, in+"/*.json", files.JSON[order](), 0); err != nil || refusals(s) != want {
		t.Errorf("got %v\n%s", err, refusals(s))
	}
}

func TestGzipAndAvro(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(strings.Repeat("a line\n", 5000)))
	_ = w.Close()
	in := t.TempDir()
	write(t, in, "x.gz", z.String())
	s := &shelf[files.Record[string]]{}
	if err := drain(t, s, in+"/*.gz", files.Lines(), 10); err != nil || len(s.rows) != 5000 || s.rows[4999].Line != 5000 {
		t.Errorf("got %v, %d lines", err, len(s.rows))
	}
	write(t, in, "y.gz", z.String()[:z.Len()-9])
	if err := drain(t, s, in+"/*.gz", files.Lines(), 10); err == nil || !strings.Contains(err.Error(), "y.gz: the gzip file is cut or broken") {
		t.Errorf("got %v", err)
	}

	var a bytes.Buffer
	e, err := ocf.NewEncoder(`{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"}]}`, &a, ocf.WithCodec(ocf.Deflate), ocf.WithBlockLength(2))
	if err != nil {
		t.Fatal(err)
	}
	type rec struct {
		ID string `avro:"id"`
		N  int64  `avro:"n"`
	}
	for i := range 5 {
		if err := e.Encode(rec{fmt.Sprint("id", i), int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, in, "x.avro", a.String())
	r := &shelf[files.Record[rec]]{}
	if err := drain(t, r, in+"/*.avro", files.Avro[rec](), 0); err != nil || len(r.rows) != 5 || r.rows[4].Value != (rec{"id4", 4}) || r.rows[4].Offset != 4 {
		t.Errorf("got %v, %+v", err, r.rows)
	}
	for i, text := range []string{"no avro at all", a.String()[:a.Len()-10]} {
		write(t, in, fmt.Sprint(i, ".avro"), text)
		if err := drain(t, &shelf[files.Record[rec]]{}, fmt.Sprint(in, "/", i, ".avro"), files.Avro[rec](), 0); err == nil || !strings.Contains(err.Error(), fmt.Sprint(i, ".avro: ")) {
			t.Errorf("%d: got %v", i, err)
		}
	}
}

func TestACursorOfAnotherKind(t *testing.T) {
	src, err := files.From(t.Context(), t.TempDir()+"/*", files.Lines())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []minibatch.Cursor{{Kind: "offsets", Version: 1}, {Kind: "files", Version: 1, Value: json.RawMessage(`{}`)}, {Kind: "files", Version: 2, Value: json.RawMessage(`{"taken":"AAAA"}`)}} {
		if _, err := src.Plan(t.Context(), c, minibatch.Limits{}); err == nil || !strings.Contains(err.Error(), "cursor") {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
