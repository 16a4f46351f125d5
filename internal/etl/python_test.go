package etl

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// harness reads [{"spec", "text"}] and prints for each what lines.py makes of it, in the words of seen.
const harness = `
import io, json, struct, sys
from datetime import date, datetime
from decimal import Decimal
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import lines

def word(v):
    if v is None: return None
    if isinstance(v, bool): return "true" if v else "false"
    if isinstance(v, float): return "nan" if v != v else struct.pack(">d", v).hex()
    if isinstance(v, Decimal): return str(int(v.scaleb(-v.as_tuple().exponent)))
    if isinstance(v, datetime): return str((v - datetime(1970, 1, 1)) // __import__("datetime").timedelta(microseconds=1))
    if isinstance(v, date): return str((v - date(1970, 1, 1)).days)
    return str(v)

for case in json.load(sys.stdin):
    out = []
    try:
        for line, raw, row, bad in lines.Loader(case["spec"], "f").rows(io.BufferedReader(io.BytesIO(bytes.fromhex(case["text"])))):
            out.append([line, [word(v) for v in row], None] if row is not None else [line, raw.hex(), list(bad)])
    except lines.BadFile as e:
        out.append(str(e))
    print(json.dumps(out))
`

// seen is what the Go loader makes of a text, as JSON.
func seen(t *testing.T, c Config, text []byte) string {
	t.Helper()
	j, err := prepare("t", c, Parts{})
	if err != nil {
		t.Fatal(err)
	}
	out := []any{}
	l, err := j.newLoader(part{File: sourceFile{Path: "f", Name: "f"}}, bytes.NewReader(text))
	if err != nil {
		return encode(t, []any{err.Error()})
	}
	defer l.b.Release()
	for {
		ch, err := l.chunk()
		type at struct {
			line int64
			v    any
		}
		var all []at
		for _, r := range ch.refused {
			var col any
			if r.Column != "" {
				col = r.Column
			}
			all = append(all, at{r.Line, []any{r.Line, hex.EncodeToString(r.Raw), []any{r.Reason, col, r.Error}}})
		}
		if ch.rows != nil {
			n := int(ch.rows.NumCols())
			for i := range int(ch.rows.NumRows()) {
				row := make([]any, n-2)
				for k := range row {
					row[k] = wordOf(ch.rows.Column(k), i)
				}
				line := ch.rows.Column(n - 1).(*array.Int64).Value(i)
				all = append(all, at{line, []any{line, row, nil}})
			}
		}
		for len(all) > 0 { // in the order of lines
			least := 0
			for i := range all {
				if all[i].line < all[least].line {
					least = i
				}
			}
			out = append(out, all[least].v)
			all = append(all[:least], all[least+1:]...)
		}
		if errors.Is(err, io.EOF) {
			return encode(t, out)
		}
		if err != nil {
			return encode(t, append(out, err.Error()))
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func wordOf(col arrow.Array, i int) any {
	if col.IsNull(i) {
		return nil
	}
	switch c := col.(type) {
	case *array.Float64:
		if math.IsNaN(c.Value(i)) {
			return "nan"
		}
		return fmt.Sprintf("%016x", math.Float64bits(c.Value(i)))
	case *array.Decimal128:
		return c.Value(i).BigInt().String()
	case *array.Date32:
		return fmt.Sprint(int32(c.Value(i)))
	case *array.Timestamp:
		return fmt.Sprint(int64(c.Value(i)))
	case *array.Boolean:
		return fmt.Sprint(c.Value(i))
	case *array.String:
		return c.Value(i)
	}
	return col.ValueStr(i)
}

// spec is a config as the driver gets it.
func spec(c Config) map[string]any {
	f := c.Format.Resolved()
	cols := []map[string]any{}
	for _, col := range c.Columns {
		cols = append(cols, map[string]any{"name": col.Name, "type": col.Type, "format": col.Format, "source": col.Source, "required": col.Required})
	}
	return map[string]any{"columns": cols, "format": map[string]any{
		"delimiter": f.Delimiter, "quote": f.Quote, "comment": f.Comment, "header": *f.Header, "latin1": f.Encoding == "latin-1", "null": f.Null, "max_field": int64(f.MaxField),
	}}
}

// The driver for Spark cuts and types lines as this engine does: the nasty files, odd values of each type, and torn pieces of both.
func TestSparkReadsLinesInTheSameWay(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("python3 is not on the PATH")
	}
	type try struct {
		name string
		c    Config
		text []byte
	}
	var all []try
	s := newSite(t)
	for _, x := range nasty {
		c := s.config("files: {dir: in, pattern: \"n_{date}.csv\"}\nformat:\n" + indent(x.format) + `
columns:
  - {name: id, type: bigint, required: true}
  - {name: text, type: string}
  - {name: amount, type: "decimal(10,2)"}
table: sales.nasty
mode: append
`)
		all = append(all, try{x.name, c, []byte(x.text)})
		r := rand.New(rand.NewPCG(1, uint64(len(x.text))))
		for range 20 { // cut, doubled and changed pieces of it
			b := bytes.Clone([]byte(x.text))
			for range 1 + r.IntN(3) {
				i := r.IntN(len(b) + 1)
				switch r.IntN(3) {
				case 0:
					b = append(b[:i:i], b[min(len(b), i+r.IntN(4)):]...)
				case 1:
					b = append(b[:i:i], append([]byte{"\",;\n\r'\xff\x000#\t"[r.IntN(11)]}, b[i:]...)...)
				case 2:
					b = b[:i]
				}
			}
			all = append(all, try{"changed: " + x.name, c, b})
		}
	}
	values := []string{"1", "-1", "+1", " 7 ", "007", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808", "1.5", ".5", "5.", ".", "-", "+", "1e3", "1E-2",
		"1e400", "1e-400", "inf", "-Infinity", "NaN", "0x1p-2", "1_0", "\u0661", "-0", "-0.00", "99999999.99", "1,5", "1.234,56", "1,234.56", "1'000.5", "1 234,5", "true", "T", "No", "y", "2", "2026-11-20",
		"2026-1-2", "2026-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "2026-11-20 10:15:00", "2026-11-20T10:15:00Z", "2026-11-20 10:15:00+02:00", "2026-11-20T10:15:00.123456789", "2026-11-20 24:00:00",
		"2026-11-20 9:15:00", "0001-01-01T00:00:00+05:00", "20.11.2026", "1.2.2026", "31.02.2026", "\u00a07\u00a0", "7\v", "x\ty", "\"q", "ä", strings.Repeat("ö", 50)}
	for _, col := range []Column{
		{Type: "string"}, {Type: "int"}, {Type: "bigint"}, {Type: "double"}, {Type: "boolean"}, {Type: "date"}, {Type: "timestamp"}, {Type: "decimal(10,2)"}, {Type: "decimal(38,0)"}, {Type: "decimal(5,5)"},
		{Type: "double", Format: "1.234,56"}, {Type: "decimal(10,2)", Format: "1,234.56"}, {Type: "int", Format: "1 234,56"}, {Type: "double", Format: "1'234.56"}, {Type: "decimal(10,2)", Format: "1234,56"},
		{Type: "date", Format: "%d.%m.%Y"}, {Type: "timestamp", Format: "%Y-%m-%d %H:%M:%S"},
	} {
		col.Name = "v"
		no := false
		c := Config{Files: Files{Pattern: "f"}, Format: Format{Delimiter: "tab", Header: &no, Quote: "none"}, Columns: []Column{col}}
		all = append(all, try{fmt.Sprint("values of ", col.Type, " ", col.Format), c, []byte(strings.Join(values, "\n") + "\n")})
	}
	cases := []map[string]any{}
	for _, x := range all {
		cases = append(cases, map[string]any{"spec": spec(x.c), "text": hex.EncodeToString(x.text)})
	}
	cmd := exec.Command(python, "-c", harness, "../spark")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	cmd.Stdin = strings.NewReader(encode(t, cases))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(answers) != len(all) {
		t.Fatalf("%d answers for %d texts", len(answers), len(all))
	}
	shown := 0
	for i, x := range all {
		want := seen(t, x.c, x.text)
		var v any
		if err := json.Unmarshal([]byte(answers[i]), &v); err != nil {
			t.Fatal(err)
		}
		var w any
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			t.Fatal(err)
		}
		if got, want := encode(t, v), encode(t, w); got != want && shown < 12 {
			shown++
			t.Errorf("%s: %q\nSpark %s\nhere  %s", x.name, x.text, got, want)
		}
	}
}
