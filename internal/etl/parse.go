package etl

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/itchyny/timefmt-go"
)

// A value waits until all of its line are good: what a builder has taken cannot be taken back.
type value struct {
	null  bool
	whole int64 // of integers, dates (days), timestamps (µs) and booleans (0, 1)
	real  float64
	exact decimal128.Num
	text  []byte
}

// put appends it to its column.
func (v *value) put(b array.Builder) {
	if v.null {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.BinaryBuilder.Append(v.text)
	case *array.Int32Builder:
		b.Append(int32(v.whole))
	case *array.Int64Builder:
		b.Append(v.whole)
	case *array.Float64Builder:
		b.Append(v.real)
	case *array.Decimal128Builder:
		b.Append(v.exact)
	case *array.BooleanBuilder:
		b.Append(v.whole == 1)
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.whole))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.whole))
	}
}

// A parser reads a field, or says why it cannot.
type parser func(v *value, text []byte) error

// parser makes the column's parser. Numbers, dates and booleans may have blanks around them.
func (c Column) parser() (parser, error) {
	t, err := c.arrow()
	if err != nil {
		return nil, err
	}
	switch t.ID() {
	case arrow.STRING:
		if c.Format != "" {
			return nil, errors.New("expected no format with type string")
		}
		return func(v *value, text []byte) error { v.text = text; return nil }, nil
	case arrow.BOOL:
		return boolean, nil
	case arrow.DATE32, arrow.TIMESTAMP:
		return c.moment(t)
	}
	group, point, err := c.signs()
	if err != nil {
		return nil, err
	}
	number := c.number(t)
	return func(v *value, text []byte) error {
		s := string(bytes.TrimSpace(text))
		if group != 0 {
			s = strings.ReplaceAll(s, string(group), "")
		}
		if point != '.' {
			if strings.IndexByte(s, '.') >= 0 {
				return fmt.Errorf("is no %s of the form %s", c.Type, c.Format)
			}
			s = strings.Replace(s, string(point), ".", 1)
		}
		return number(v, s)
	}, nil
}

// signs reads a number's format, which is an example such as 1.234,56: what groups thousands, and the decimal sign.
func (c Column) signs() (group, point byte, err error) {
	switch c.Format {
	case "":
		return 0, '.', nil
	case "1,234.56":
		return ',', '.', nil
	case "1.234,56":
		return '.', ',', nil
	case "1234,56":
		return 0, ',', nil
	case "1 234,56":
		return ' ', ',', nil
	case "1'234.56":
		return '\'', '.', nil
	}
	return 0, 0, fmt.Errorf("expected one of 1,234.56  1.234,56  1234,56  1 234,56  1'234.56, got %q", c.Format)
}

func (c Column) number(t arrow.DataType) func(v *value, s string) (err error) {
	switch t := t.(type) {
	case *arrow.Float64Type:
		return func(v *value, s string) (err error) {
			if strings.IndexByte(s, '_') >= 0 { // a digit separator of Go's, not of files
				return c.wrong(strconv.ErrSyntax)
			}
			if v.real, err = strconv.ParseFloat(s, 64); err != nil {
				err = c.wrong(err)
			}
			return err
		}
	case *arrow.Decimal128Type:
		return func(v *value, s string) (err error) {
			v.exact, err = fixed(s, t)
			return err
		}
	}
	bits := t.(arrow.FixedWidthDataType).BitWidth()
	return func(v *value, s string) (err error) {
		if v.whole, err = strconv.ParseInt(s, 10, bits); err != nil {
			err = c.wrong(err)
		}
		return err
	}
}

func (c Column) wrong(err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("does not fit into %s", c.Type)
	}
	return fmt.Errorf("is no %s", c.Type)
}

// fixed reads a decimal. Digits behind its scale are not rounded away: they are refused, unless they are noughts.
func fixed(s string, t *arrow.Decimal128Type) (decimal128.Num, error) {
	none := decimal128.Num{}
	digits, negative := s, false
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		digits, negative = s[1:], s[0] == '-'
	}
	whole, part, _ := strings.Cut(digits, ".")
	if whole+part == "" || strings.Trim(whole+part, "0123456789") != "" {
		return none, fmt.Errorf("is no %s", shortType(t))
	}
	scale := int(t.Scale)
	if len(part) > scale {
		if strings.Trim(part[scale:], "0") != "" {
			return none, fmt.Errorf("has more than %d digits behind the decimal sign", scale)
		}
		part = part[:scale]
	}
	all := strings.TrimLeft(whole+part+strings.Repeat("0", scale-len(part)), "0")
	if len(all) > int(t.Precision) {
		return none, fmt.Errorf("does not fit into %s", shortType(t))
	}
	if len(all) <= 18 {
		v, _ := strconv.ParseInt("0"+all, 10, 64)
		if negative {
			v = -v
		}
		return decimal128.FromI64(v), nil
	}
	v, _ := new(big.Int).SetString(all, 10)
	if negative {
		v.Neg(v)
	}
	return decimal128.FromBigInt(v), nil
}

func shortType(t *arrow.Decimal128Type) string {
	return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
}

func boolean(v *value, text []byte) error {
	switch strings.ToLower(string(bytes.TrimSpace(text))) {
	case "true", "t", "1", "yes", "y":
		v.whole = 1
	case "false", "f", "0", "no", "n":
		v.whole = 0
	default:
		return errors.New("is no boolean")
	}
	return nil
}

// moment reads dates and timestamps. A timestamp with a zone is kept as UTC, one without as it stands.
func (c Column) moment(t arrow.DataType) (parser, error) {
	layouts := []string{time.DateOnly}
	if t.ID() == arrow.TIMESTAMP {
		layouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateOnly}
	}
	read := func(s string) (time.Time, error) {
		for _, l := range layouts {
			if v, err := time.Parse(l, s); err == nil {
				return v, nil
			}
		}
		return time.Time{}, fmt.Errorf("is no %s (expected %s)", c.Type, map[arrow.Type]string{arrow.DATE32: "2026-11-20", arrow.TIMESTAMP: "2026-11-20 10:15:00"}[t.ID()])
	}
	if c.Format != "" {
		if !strings.Contains(c.Format, "%") {
			return nil, fmt.Errorf("expected a strftime format such as %%d.%%m.%%Y, got %q", c.Format)
		}
		if now := timefmt.Format(time.Now(), c.Format); now == c.Format {
			return nil, fmt.Errorf("expected a strftime format such as %%d.%%m.%%Y, got %q", c.Format)
		}
		read = func(s string) (time.Time, error) {
			v, err := timefmt.Parse(s, c.Format)
			if err != nil || timefmt.Format(v, c.Format) != s && !sameDay(v, s, c.Format) { // 31 February is not 3 March
				return v, fmt.Errorf("is no %s of the form %s", c.Type, c.Format)
			}
			return v, nil
		}
	}
	return func(v *value, text []byte) error {
		at, err := read(string(bytes.TrimSpace(text)))
		if err != nil {
			return err
		}
		at = at.UTC()
		if y := at.Year(); y < 1 || y > 9999 {
			return fmt.Errorf("is a %s out of range", c.Type)
		}
		v.whole = at.UnixMicro()
		if t.ID() == arrow.DATE32 {
			v.whole = int64(arrow.Date32FromTime(at))
		}
		return nil
	}, nil
}

// sameDay allows for writings that strftime gives in another way, such as a day without its nought.
func sameDay(v time.Time, s, format string) bool {
	again, err := timefmt.Parse(timefmt.Format(v, format), format)
	if err != nil || !again.Equal(v) {
		return false
	}
	digits := func(s string) string {
		return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '0' || r < '0' || r > '9' }), " ")
	}
	return digits(s) == digits(timefmt.Format(v, format))
}
