package content

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A Fault is what is wrong with a message on purpose.
type Fault string

// The faults. An oversize message is a valid row, and so is one out of order; a duplicate is a row with the bytes of an earlier one;
// of all others a consumer can only say that it refuses them.
const (
	Healthy      Fault = ""
	Duplicate    Fault = "duplicate"
	OutOfOrder   Fault = "out_of_order"      // sent behind later messages of its key
	BadMagic     Fault = "bad_magic"         // the first byte is no Confluent header's
	UnknownID    Fault = "unknown_schema_id" // no registry has this id
	Truncated    Fault = "truncated"         // the end of the record is missing
	Corrupt      Fault = "corrupt"           // the record's bytes are overwritten
	NullValue    Fault = "null_value"        // a tombstone
	Incompatible Fault = "incompatible"      // written with a newer schema under the old one's id: bytes are left over
	Oversize     Fault = "oversize"          // valid, near the broker's limit
)

// PoisonKinds are those that a profile may name.
var PoisonKinds = []Fault{BadMagic, UnknownID, Truncated, Corrupt, NullValue, Incompatible, Oversize}

const (
	defaultOversize = 900 << 10
	unknownID       = 1<<31 - 1
)

// Refused reports that a message with this fault must end in the quarantine, not in the table.
func (f Fault) Refused() bool {
	return f != Healthy && f != Duplicate && f != OutOfOrder && f != Oversize
}

func (p *Poison) kinds() []Fault {
	if len(p.Kinds) == 0 {
		return PoisonKinds[:len(PoisonKinds)-1]
	}
	return p.Kinds
}

func (p *Poison) oversize() int {
	if p.Oversize == 0 {
		return defaultOversize
	}
	return int(p.Oversize)
}

// Largest is the size of oversize messages, 0 if there are none.
func (f *Faults) Largest() int {
	if f.Poison.Share > 0 && slices.Contains(f.Poison.kinds(), Oversize) {
		return f.Poison.oversize()
	}
	return 0
}

// Invalid says what is wrong with them; empty: nothing.
func (f *Faults) Invalid() string {
	switch {
	case f.Duplicate < 0 || f.Duplicate > 0.5:
		return "duplicate: want 0% to 50%"
	case f.OutOfOrder < 0 || f.OutOfOrder > 0.2:
		return "out_of_order: want 0% to 20%"
	case f.Duplicate+f.OutOfOrder+f.Poison.Share > 1:
		return "duplicate: with out_of_order and poison.share these are more than all messages"
	case f.Poison.Share < 0 || f.Poison.Share > 0.5:
		return "poison.share: want 0% to 50%"
	case f.Poison.Share == 0 && (len(f.Poison.Kinds) > 0 || f.Poison.Oversize != 0):
		return "poison: want a share above 0%"
	case f.Poison.Oversize < 0 || f.Poison.Oversize > 64<<20:
		return "poison.oversize: want up to 64MiB"
	}
	for i, k := range f.Poison.Kinds {
		if !slices.Contains(PoisonKinds, k) {
			names := make([]string, len(PoisonKinds))
			for j := range names {
				names[j] = string(PoisonKinds[j])
			}
			return fmt.Sprintf("poison.kinds[%d]: there is no %q%s (there are %v)", i, string(k), suggest(string(k), names), PoisonKinds)
		}
	}
	return ""
}

// faultPlan decides which messages of a stream have which fault.
type faultPlan struct {
	seed                       uint64
	duplicate, poison, shuffle uint64 // borders: duplicates below the first, poison up to the second, out of order up to the third
	kinds                      []Fault
}

func (f *Faults) plan(seed uint64) faultPlan {
	d, p := float64(f.Duplicate), float64(f.Duplicate)+float64(f.Poison.Share)
	return faultPlan{seed, border(d), border(p), border(p + float64(f.OutOfOrder)), f.Poison.kinds()}
}

func (p *faultPlan) draw(n uint64) Fault {
	if p.shuffle == 0 {
		return Healthy
	}
	r := streamOf(p.seed, n, faultStream)
	switch word := r.next(); {
	case word < p.duplicate:
		return Duplicate
	case word < p.poison:
		return p.kinds[r.below(uint64(len(p.kinds)))]
	case word < p.shuffle:
		return OutOfOrder
	}
	return Healthy
}

// damage makes the fault in a whole value that begins at start.
func (w *Writer) damage(b []byte, start int, f Fault) []byte {
	record := start + HeaderSize
	switch f {
	case BadMagic:
		b[start] = 0xff
	case UnknownID:
		binary.BigEndian.PutUint32(b[start+1:], unknownID)
	case Truncated:
		if len(b) == record { // nothing to cut but the header
			return b[:start+2]
		}
		return b[:record+int(w.d.below(uint64(len(b)-record)))]
	case Corrupt:
		for i := record; i < len(b); i++ {
			b[i] = 0xff // as a number it never ends
		}
		if p := w.g.plan; p.filler == nil && p.least == p.most { // there may be no number in it
			b = append(b, 0xff)
		}
	case Incompatible:
		b = append(b, 2)
	}
	return b
}
