package quarantine

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/lake"
)

// counter is a destination with a quarantine, and their desk.
type counter struct {
	t    *testing.T
	desk *Desk
	n    int
}

func newCounter(t *testing.T) *counter {
	dir := t.TempDir()
	l, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(dir, "catalog.db"), Warehouse: filepath.Join(dir, "warehouse")})
	c := &counter{t: t}
	c.ok(err)
	t.Cleanup(func() { l.Close() })
	_, err = l.Ensure(t.Context(), "shop.orders", arrow.NewSchema([]arrow.Field{Kafka}, nil), lake.Options{})
	c.ok(err)
	_, _, err = Ensure(t.Context(), l, "shop.orders")
	c.ok(err)
	c.desk, err = Open(t.Context(), l, "shop.orders")
	c.ok(err)
	return c
}

func (c *counter) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// refuse puts a record at offset 0 into the quarantine, in a file of its own.
func (c *counter) refuse(value string) Row {
	c.t.Helper()
	r := full
	r.Offset, r.Value = 0, []byte(value)
	files, err := c.desk.q.WriteShape(c.t.Context(), c.desk.shape, func(yield func(arrow.RecordBatch, error) bool) {
		yield(Batch(c.desk.shape.Schema(), []Row{r}), nil)
	})
	c.ok(err)
	before := json.RawMessage(fmt.Sprint(c.n))
	if c.n++; c.n == 1 {
		before = nil
	}
	_, err = c.desk.q.Commit(c.t.Context(), lake.Commit{Job: "orders", ID: fmt.Sprint(c.n), From: before, To: json.RawMessage(fmt.Sprint(c.n)), Add: files})
	c.ok(err)
	return r
}

// decided is a move whose process dies right after its decision.
func (c *counter) decided(kind string, r Row) {
	c.t.Helper()
	st, err := c.desk.Settle(c.t.Context())
	c.ok(err)
	_, _, err = c.desk.decide(c.t.Context(), st, Move{Kind: kind}, map[Record]bool{r.Record(): true}, nil)
	c.ok(err)
}

func (c *counter) values() string {
	c.t.Helper()
	var all []string
	for r, err := range c.desk.Rows(c.t.Context()) {
		c.ok(err)
		all = append(all, string(r.Value))
	}
	return strings.Join(all, " ")
}

// Two records have one position: what another one has begun with one of them leaves the other one where it is.
func TestAMoveTakesTheRecordThatWasMeant(t *testing.T) {
	for _, kind := range []string{Replayed, Discarded} {
		for meant, want := range map[string]string{"old": "new", "new": "old"} {
			c := newCounter(t)
			rows := map[string]Row{"old": c.refuse("old"), "new": c.refuse("new")}
			c.decided(kind, rows[meant])
			if moving, err := pending(t.Context(), c.desk.to, c.desk.q); err != nil || moving.has(rows[meant]) != (kind == Replayed) || moving.has(rows[want]) {
				t.Errorf("%s %s, and meanwhile %+v, %v", kind, meant, moving, err)
			}
			_, err := c.desk.Settle(t.Context())
			c.ok(err)
			if got := c.values(); got != want {
				t.Errorf("%s %s: %q stay, want %q", kind, meant, got, want)
			}
		}
	}
}

// The same bytes were refused at the same position twice: each has its turn.
func TestEqualRecordsLeaveOneByOne(t *testing.T) {
	c := newCounter(t)
	r := c.refuse("same")
	c.refuse("same")
	for left := 1; left >= 0; left-- {
		st, err := c.desk.Settle(t.Context())
		c.ok(err)
		_, err = c.desk.Replay(t.Context(), st, map[Record]bool{r.Record(): true}, nil, nil)
		c.ok(err)
		if got := strings.Count(c.values(), "same"); got != left {
			t.Errorf("%d are left, want %d", got, left)
		}
	}
}

// The second record came between the decision and the end: nobody knows which one was meant, and nothing is lost by a guess.
func TestAMoveThatCannotTellTwoRecordsApartStops(t *testing.T) {
	c := newCounter(t)
	old := c.refuse("old")
	c.decided(Replayed, old)
	late := c.refuse("new")
	_, err := c.desk.Settle(t.Context())
	one, two := old.Record().Sum, late.Record().Sum
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%x", one[:4])) || !strings.Contains(err.Error(), fmt.Sprintf("%x", two[:4])) {
		t.Errorf("got %v, want an error that names both", err)
	}
	if got := c.values(); got != "old new" && got != "new old" {
		t.Errorf("%q are left", got)
	}
}
