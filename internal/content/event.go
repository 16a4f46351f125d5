package content

import (
	"time"

	"github.com/hamba/avro/v2"
)

// step writes the time of the event: when the message is due, less what it is late.
func (e *EventTime) step(s avro.Schema) (step, error) {
	prefix := []byte(nil)
	if u, ok := s.(*avro.UnionSchema); ok {
		for i, t := range u.Types() {
			if t.Type() != avro.Null {
				prefix = appendLong(nil, int64(i))
			}
		}
		s = unNull(u)
	}
	unit := int64(1000) // µs
	switch timeUnit(s) {
	case 1e6:
		unit = 1
	case 1.0 / daySeconds:
		unit = daySeconds * 1e6
	}
	late, shuffled := e.Late.drawer(), e.OutOfOrder.drawer()
	return plain(len(prefix)+1, len(prefix)+10, func(b []byte, d *draw) []byte {
		return appendLong(append(b, prefix...), floorDiv(d.intended-late(d)-shuffled(d), unit))
	}), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// unNull is the type of a nullable field.
func unNull(s avro.Schema) avro.Schema {
	s = deref(s)
	if u, ok := s.(*avro.UnionSchema); ok && len(u.Types()) == 2 && u.Nullable() {
		_, at := u.Indices()
		return deref(u.Types()[at])
	}
	return s
}

// drawer gives how many µs a message is late; 0 for most.
func (l *Delay) drawer() func(*draw) int64 {
	if l.Share == 0 {
		return func(*draw) int64 { return 0 }
	}
	line, by := border(float64(l.Share)), l.By
	return func(d *draw) int64 {
		if d.next() >= line {
			return 0
		}
		switch {
		case by.Exponential != nil:
			v := time.Duration(d.exp() * float64(by.Exponential.Mean))
			if by.Exponential.Max > 0 {
				v = min(v, time.Duration(by.Exponential.Max))
			}
			return v.Microseconds()
		case by.Uniform != nil:
			low, high := time.Duration(by.Uniform.Min).Microseconds(), time.Duration(by.Uniform.Max).Microseconds()
			return low + int64(d.below(uint64(high-low)+1))
		}
		return time.Duration(by.Constant).Microseconds()
	}
}

// Invalid says what is wrong with it; empty: nothing.
func (l *Delay) Invalid() string {
	kinds := 0
	if e := l.By.Exponential; e != nil {
		if kinds++; e.Mean <= 0 || e.Max < 0 {
			return "by.exponential: want a mean above 0s"
		}
	}
	if u := l.By.Uniform; u != nil {
		if kinds++; u.Min < 0 || u.Max <= u.Min {
			return "by.uniform: want 0s <= min < max"
		}
	}
	if l.By.Constant != 0 {
		if kinds++; l.By.Constant < 0 {
			return "by.constant: want more than 0s"
		}
	}
	switch {
	case l.Share < 0 || l.Share > 1:
		return "share: want 0% to 100%"
	case l.Share > 0 && kinds != 1:
		return "by: want one of exponential, uniform, constant"
	case l.Share == 0 && kinds > 0:
		return "share: want above 0%"
	}
	return ""
}
