package topic

import (
	"encoding/json"
	"errors"
	"testing"

	"weir/minibatch"
)

func at(topic string, next map[int32]int64) minibatch.Cursor {
	return Cursor(Offsets{Cluster: "c", Topic: "t", TopicID: topic, Next: next})
}

// What the table holds decides whether a batch may be committed: each partition that it moves must stand where it starts.
func TestACommitStartsWhereTheTableIs(t *testing.T) {
	from, to := at("x", map[int32]int64{0: 10, 1: 20}), at("x", map[int32]int64{0: 15, 1: 20, 2: 5})
	for name, c := range map[string]struct {
		stored minibatch.Cursor
		want   string // the new cursor's positions; empty: refused
	}{
		"where it starts":                          {from, `{"0":15,"1":20,"2":5}`},
		"another worker has gone on":               {at("x", map[int32]int64{0: 12, 1: 20}), ""},
		"another worker has committed the same":    {to, ""},
		"the table was rolled back":                {at("x", map[int32]int64{0: 9, 1: 20}), ""},
		"nothing is stored, but it starts at 10":   {minibatch.Cursor{}, ""},
		"a partition that it does not move is on":  {at("x", map[int32]int64{0: 10, 1: 99}), `{"0":15,"1":99,"2":5}`},
		"a partition that it thought new is there": {at("x", map[int32]int64{0: 10, 1: 20, 2: 1}), ""},
		"the topic was made again":                 {at("y", map[int32]int64{0: 10, 1: 20}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var raw json.RawMessage
			if !c.stored.IsZero() {
				raw, _ = json.Marshal(c.stored)
			}
			got, err := Advance(minibatch.Batch{From: from, To: to})(raw)
			if c.want == "" {
				if !errors.Is(err, minibatch.ErrMoved) {
					t.Fatalf("got %s, %v; want ErrMoved", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n, err := Stored(got)
			if err != nil {
				t.Fatal(err)
			}
			o, err := ToOffsets(n)
			if next, _ := json.Marshal(o.Next); err != nil || string(next) != c.want {
				t.Errorf("got %s, %v; want %s", next, err, c.want)
			}
		})
	}
}

// The quarantine's cursor never goes back, also where a batch ends before one that an earlier try had committed there.
func TestTheQuarantineNeverGoesBack(t *testing.T) {
	stored, err := json.Marshal(at("x", map[int32]int64{0: 100, 1: 5}))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Further(stored, at("x", map[int32]int64{0: 80, 1: 50, 2: 1}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Stored(raw)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ToOffsets(c)
	if next, _ := json.Marshal(o.Next); err != nil || string(next) != `{"0":100,"1":50,"2":1}` {
		t.Errorf("got %s, %v", next, err)
	}
}
