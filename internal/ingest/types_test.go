package ingest

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
)

const (
	branching = `{"type":"record","name":"Order","fields":[
		{"name":"id","type":"long"},
		{"name":"paid","type":["null",{"type":"record","name":"Card","fields":[{"name":"number","type":"string"}]},{"type":"record","name":"Cash","fields":[]},"long"]},
		{"name":"part","type":["null","Order"]},
		{"name":"never","type":"null"}]}`
	renamed = `{"type":"record","name":"Order","fields":[
		{"name":"order_id","aliases":["id"],"type":"long"},
		{"name":"settled","aliases":["paid"],"type":["null",{"type":"record","name":"Card","fields":[{"name":"number","type":"string"},{"name":"until","type":["null","int"],"default":null}]},{"type":"record","name":"Cash","fields":[]},"long"]},
		{"name":"count","type":"int","default":1}]}`
)

func card(number string) any {
	return map[string]any{"Card": map[string]any{"number": number, "until": 7}}
}

func branched(id int64, paid, part any) map[string]any {
	return map[string]any{"id": id, "paid": paid, "part": part, "never": nil}
}

// Unions of several types and records in records of their type come into the table, and a renamed field stays in its column, at any
// depth, while new ones beside it get theirs.
func TestUnionsRecursionAndRenames(t *testing.T) {
	inner := map[string]any{"Order": branched(9, nil, map[string]any{"Order": branched(8, map[string]any{"long": int64(5)}, nil)})}
	for name, c := range map[string]struct {
		types   Types
		refused int64
		paid    []string // of 1, 2, 3, 100
		part    string   // of 2
		deep    string   // of 3
	}{
		"default": {
			paid: []string{`{"Card":{"number":"n","until":null},"Cash":null,"long":null}`, `{"Card":null,"Cash":"{}","long":null}`, array.NullValueStr, `{"Card":{"number":"new","until":7},"Cash":null,"long":null}`},
			part: `{"id":9,"paid":null,"part":null,"never":null}`,
			deep: `{"id":1,"paid":null,"part":{"id":9,"paid":null,"part":{"id":8,"paid":{"long":5},"part":null,"never":null},"never":null},"never":null}`,
		},
		"JSON": {
			types: Types{Unions: "json"},
			paid:  []string{`{"Card":{"number":"n"}}`, `{"Cash":{}}`, array.NullValueStr, `{"Card":{"number":"new","until":7}}`},
			part:  `{"id":9,"paid":null,"part":null,"never":null}`,
			deep:  `{"id":1,"paid":null,"part":{"id":9,"paid":null,"part":{"id":8,"paid":{"long":5},"part":null,"never":null},"never":null},"never":null}`,
		},
		"unrolled": {
			types: Types{Recursion: 1}, refused: 1,
			paid: []string{`{"Card":{"number":"n","until":null},"Cash":null,"long":null}`, `{"Card":null,"Cash":"{}","long":null}`, "", `{"Card":{"number":"new","until":7},"Cash":null,"long":null}`},
			part: `{"id":9,"paid":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			_, err := s.reg.Register(t.Context(), "others-value", branching)
			s.ok(err)
			s.sendAs(branching, branched(1, card("n"), nil), branched(2, map[string]any{"Cash": map[string]any{}}, map[string]any{"Order": branched(9, nil, nil)}),
				branched(3, nil, map[string]any{"Order": branched(1, nil, inner)}))
			r := s.drain(Config{Format: Format{Subject: "others-value"}, Types: c.types})
			s.sendAs(renamed, map[string]any{"order_id": int64(100), "settled": card("new"), "count": 4})
			later := s.drain(Config{Format: Format{Subject: "others-value"}, Types: c.types})
			if r.Quarantined != c.refused || r.RowsOut != 3-c.refused || later.RowsOut != 1 {
				t.Fatalf("got %+v and %+v", r, later)
			}
			paid, part, count := s.column("paid"), s.column("part"), s.column("count")
			for i, id := range []int64{1, 2, 3, 100} {
				if paid[id] != c.paid[i] {
					t.Errorf("paid of %d is %s, want %s", id, paid[id], c.paid[i])
				}
			}
			if part[2] != c.part && !strings.HasPrefix(part[2], strings.TrimSuffix(c.part, "}")) || part[3] != c.deep || part[100] != array.NullValueStr || count[100] != "4" || count[1] != array.NullValueStr {
				t.Errorf("part %s and %s, count %s", part[2], part[3], count[100])
			}
		})
	}
}

func TestKeysOfTypes(t *testing.T) {
	for text, want := range map[string]Recursion{"json": 0, "1": 1, "8": 8} {
		var r Recursion
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s: %d, %v", text, r, err)
		}
		if b, err := want.MarshalText(); string(b) != text || err != nil {
			t.Errorf("%d is written %s", want, b)
		}
	}
	for _, text := range []string{"0", "9", "-1", "deep", ""} {
		if err := new(Recursion).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	var paths []string
	for _, bad := range (Config{Topic: "t", Table: "a.b", Start: "latest", Types: Types{Unions: "text", Recursion: 9, Nanos: "micros"}}).Validate() {
		paths = append(paths, bad.Path)
	}
	if got := strings.Join(paths, " "); got != "unions recursion nanos" {
		t.Errorf("got %s", got)
	}
}
