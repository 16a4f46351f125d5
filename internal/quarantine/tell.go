package quarantine

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/internal/lake"
)

// A Group is what a quarantine holds for one reason and schema.
type Group struct {
	Reason   Reason    `json:"reason"`
	SchemaID int32     `json:"schema_id"` // 0: none was found
	Records  int64     `json:"records"`
	Oldest   time.Time `json:"oldest"`   // refusal
	Newest   time.Time `json:"newest"`   // refusal
	Attempts int32     `json:"attempts"` // the most that one of them was tried
	Sample   string    `json:"sample"`   // error of the newest
}

// Groups counts the rows of a destination's quarantine that want takes, the most first; none if it has no quarantine. Records that
// a replay has brought into the table already are not counted.
func Groups(ctx context.Context, l *lake.Lake, destination string, want func(Row) bool) ([]Group, error) {
	type key struct {
		reason Reason
		schema int32
	}
	by := map[key]*Group{}
	err := Each(ctx, l, destination, func(r Row) bool {
		if !want(r) {
			return true
		}
		g := by[key{r.Reason, r.SchemaID}]
		if g == nil {
			g = &Group{Reason: r.Reason, SchemaID: r.SchemaID, Oldest: r.At}
			by[key{r.Reason, r.SchemaID}] = g
		}
		g.Records++
		g.Attempts = max(g.Attempts, 1, r.Attempt)
		if r.At.Before(g.Oldest) {
			g.Oldest = r.At
		}
		if !r.At.Before(g.Newest) {
			g.Newest, g.Sample = r.At, Plain(r.Error)
		}
		return true
	})
	all := make([]Group, 0, len(by))
	for _, g := range by {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.SchemaID, b.SchemaID))
	})
	return all, err
}

// Each hands the rows of a destination's quarantine to look until it has seen enough (false).
func Each(ctx context.Context, l *lake.Lake, destination string, look func(Row) bool) error {
	q, err := l.Table(ctx, Table(destination))
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	var moving Move
	if to, err := l.Table(ctx, destination); err == nil {
		var rolled *lake.RolledBackError
		if moving, err = pending(ctx, to, q); err != nil && !errors.As(err, &rolled) { // else no row of a replay is in the table any more
			return err
		}
	} else if !errors.Is(err, lake.ErrNoTable) {
		return err
	}
	for r, err := range rowsOf(ctx, q) {
		if err != nil {
			return err
		}
		if !moving.has(r) && !look(r) {
			return nil
		}
	}
	return nil
}

// Plain is a text of unknown origin as one line that does nothing to a terminal.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}

// previewBytes is how much of a key or a value is shown.
const previewBytes = 64

// Preview shows bytes in one line: as text if that is what they are, else in hex with the text beside it.
func Preview(b []byte) string {
	if b == nil {
		return "none"
	}
	cut, more := b, ""
	if len(b) > previewBytes {
		cut, more = b[:previewBytes], " …"
	}
	size := fmt.Sprintf("  (%d bytes)", len(b))
	if readable(b) {
		if more != "" { // not in the middle of a letter
			cut = []byte(strings.ToValidUTF8(string(cut), ""))
		}
		return fmt.Sprintf("%q", cut) + more + size
	}
	short := cut[:min(len(cut), previewBytes/2)]
	if len(short) < len(b) {
		more = " …"
	}
	var plain strings.Builder
	for _, c := range short {
		if c < ' ' || c > '~' {
			c = '.'
		}
		plain.WriteByte(c)
	}
	return hex.EncodeToString(short) + more + "  |" + plain.String() + "|" + size
}

func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}
