package etl

import (
	"fmt"
	"strings"
	"testing"
)

// Twenty files as they come from other people's programs. Each says which rows must arrive and which lines must be kept as
// refused: line, column, reason and the text as it stands in the file. Nothing else may be lost, and no good line with a bad one.
var nasty = []struct {
	name, format, text string
	rows, refused      string // rows: id text amount
}{
	{"a plain file", "", "id,text,amount\n1,a,1.50\n2,b,2\n", "1 a 1.50; 2 b 2.00", ""},
	{"line ends of Windows, none behind the last line", "", "id,text,amount\r\n1,a,1\r\n2,b,2", "1 a 1.00; 2 b 2.00", ""},
	{"a byte order mark", "", "\ufeffid,text,amount\n1,ä,1\n", "1 ä 1.00", ""},
	{"line breaks, delimiters and doubled quotes in a field", "", "id,text,amount\n1,\"a\n\"\"b\"\", c\",1\n2,d,2\n", "1 a⏎\"b\", c 1.00; 2 d 2.00", ""},
	{"a quote inside an unquoted field", "", "id,text,amount\n1,5\" pipe,1\n", "1 5\" pipe 1.00", ""},
	{"a quote that is never closed", "", "id,text,amount\n1,\"open,1\n2,b,2\n3,c,3\n", "2 b 2.00; 3 c 3.00", `2 - quote 1,"open,1`},
	{"a quote that the next line's quote would close", "", "id,text,amount\n1,\"open,1\n2,\"b\",2\n3,c,3\n", "2 b 2.00; 3 c 3.00", `2 - quote 1,"open,1`},
	{"text behind a closing quote", "", "id,text,amount\n1,\"a\"b,1\n2,b,2\n", "2 b 2.00", `2 - quote 1,"a"b,1`},
	{"too few and too many fields", "", "id,text,amount\n1,a\n2,b,2,\n3,c,3\n", "3 c 3.00", "2 - columns 1,a; 3 - columns 2,b,2,"},
	{"a file that was cut", "", "id,text,amount\n1,a,1\n2,b", "1 a 1.00", "3 - columns 2,b"},
	{"blank lines and comments", `comment: "#"`, "# of the day\nid,text,amount\n\n1,a,1\n#2,b,2\n\r\n3,c,3\n", "1 a 1.00; 3 c 3.00", ""},
	{"numbers that are none", "", "id,text,amount\nx,a,1\n2,b,1e3\n3,c,1.005\n4,d,99999999999\n5,e,1.500\n99999999999999999999,f,1\n",
		"5 e 1.50", "2 id value x,a,1; 3 amount value 2,b,1e3; 4 amount value 3,c,1.005; 5 amount value 4,d,99999999999; 7 id value 99999999999999999999,f,1"},
	{"no value, an empty text, and a required one", "", "id,text,amount\n1,,\n2,\"\",2\n,c,3\n", "1 <nil> <nil>; 2  2.00", "4 id value ,c,3"},
	{"bytes that are no UTF-8", "", "id,text,amount\n1,J\xfcrgen,1\n2,b,2\n", "2 b 2.00", "2 - encoding 1,J\\xFCrgen,1"},
	{"the same file as latin-1", "encoding: latin-1", "id,text,amount\n1,J\xfcrgen,1\n", "1 Jürgen 1.00", ""},
	{"a NUL byte", "", "id,text,amount\n1,a\x00b,1\n2,b,2\n", "2 b 2.00", "2 - encoding 1,a\\x00b,1"},
	{"a field longer than is allowed", "max_field: 100B", "id,text,amount\n1," + strings.Repeat("x", 101) + ",1\n2,b,2\n", "2 b 2.00", "2 - size 1," + strings.Repeat("x", 101) + ",1"},
	{"tabs, and no quote", "delimiter: tab\nquote: none", "id\ttext\tamount\n1\t\"a\t1\n2\tb,c\t2\n", "1 \"a 1.00; 2 b,c 2.00", ""},
	{"semicolons, single quotes, columns in another order and one too many", "delimiter: \";\"\nquote: \"'\"", "amount;x;ID;text\n1;y;1;'it''s;'\n", "1 it's; 1.00", ""},
	{"a multi-line field in a line with too many fields", "", "id,text,amount\n1,\"a\nb\",1,9\n2,b,2\n", "2 b 2.00", "2 - columns 1,\"a\\x0Ab\",1,9"},
	{"a header and nothing else", "", "id,text,amount\n", "", ""},
	{"texts for no value", "\"null\": [\"NULL\", \"\\\\N\"]", "id,text,amount\n1,NULL,\\N\n2,,2\n3,\"NULL\",3\n", "1 <nil> <nil>; 2  2.00; 3 NULL 3.00", ""},
}

func TestNastyFiles(t *testing.T) {
	for _, x := range nasty {
		t.Run(x.name, func(t *testing.T) {
			s := newSite(t)
			c := s.config(fmt.Sprintf(`
files: {dir: in, pattern: "n_{date}.csv"}
format:
%s
columns:
  - {name: id, type: bigint, required: true}
  - {name: text, type: string}
  - {name: amount, type: "decimal(10,2)"}
table: sales.nasty
mode: append
`, indent(x.format)))
			s.file("n_2026-11-20.csv", x.text)
			r, err := s.run(c, "")
			s.ok(err)
			s.want("SELECT id, replace(text, chr(10), '⏎'), amount FROM sales.nasty ORDER BY id", x.rows)
			if x.refused == "" {
				if r.Quarantined != 0 {
					t.Errorf("%d lines were refused: %s", r.Quarantined, s.sql("SELECT line, reason, error, raw::VARCHAR FROM sales.nasty__quarantine"))
				}
				return
			}
			s.want(`SELECT line, coalesce("column", '-'), reason, raw::VARCHAR FROM sales.nasty__quarantine ORDER BY line`, strings.ReplaceAll(x.refused, `"`, `\x22`))
			s.want("SELECT DISTINCT file, business_date::VARCHAR, length(sha256), error IS NOT NULL FROM sales.nasty__quarantine", "n_2026-11-20.csv 2026-11-20 64 true")
		})
	}
}

func indent(s string) string {
	if !strings.Contains(s, "max_field") {
		s += "\nmax_field: 1KiB"
	}
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}

// A flood of refused lines stops the job and loads nothing of its day.
func TestAFloodStops(t *testing.T) {
	s := newSite(t)
	c := s.config(append1 + "quarantine: {max_rows: 5}\n")
	s.file("orders_2026-11-20.csv", head+strings.Repeat("x,y,z,\n", 6)+"1,a,1,\n")
	if _, err := s.run(c, ""); err == nil || !strings.Contains(err.Error(), "too many rows refused") {
		t.Errorf("got %v", err)
	}
	s.want("SELECT count(*) FROM sales.orders", "0")
	s.file("orders_2026-11-20.csv", head+strings.Repeat("x,y,z,\n", 5)+"1,a,1,\n")
	r, err := s.run(c, "")
	s.ok(err)
	if r.Quarantined != 5 || r.RowsOut != 1 {
		t.Errorf("got %+v", r)
	}
}
