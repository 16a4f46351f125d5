package avro

import (
	"math"
	"math/big"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/hamba/avro/v2"
)

// decimalNode is a two's complement number, big endian: of size bytes, or with a length before it where size is -1.
type decimalNode struct {
	size      int
	precision int32
}

func (n decimalNode) least() int { return max(1, n.size) }

func (n decimalNode) decode(w *wire, c column) error {
	b, err := decimalBytes(w, n.size)
	if err != nil {
		return err
	}
	v, ok := toDecimal(b)
	if !ok || v.Abs().GreaterEqual(tenTo[n.precision]) {
		return errDigits
	}
	c.(*numbers[decimal128.Num]).add(v)
	return nil
}

func decimalBytes(w *wire, size int) ([]byte, error) {
	if size >= 0 {
		return w.take(int64(size))
	}
	return w.bytes()
}

func toDecimal(b []byte) (decimal128.Num, bool) {
	if len(b) == 0 {
		return decimal128.Num{}, true
	}
	sign := byte(0)
	if b[0]&0x80 != 0 {
		sign = 0xff
	}
	for len(b) > 16 { // leading bytes that only repeat the sign
		if b[0] != sign || (b[1]^sign)&0x80 != 0 {
			return decimal128.Num{}, false
		}
		b = b[1:]
	}
	hi, lo := uint64(int64(int8(sign))), uint64(int64(int8(sign)))
	for _, x := range b {
		hi = hi<<8 | lo>>56
		lo = lo<<8 | uint64(x)
	}
	v := decimal128.New(int64(hi), lo)
	return v, int64(hi) != math.MinInt64 || lo != 0 // its absolute value does not exist
}

var tenTo = func() (p [39]decimal128.Num) {
	p[0] = decimal128.FromI64(1)
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1].Mul(decimal128.FromI64(10))
	}
	return p
}()

// compileDecimal: size is -1 on bytes.
func compileDecimal(s avro.Schema, d *avro.DecimalLogicalSchema, size int, t arrow.DataType) (node, error) {
	if d.Precision() > 38 && t.ID() == arrow.STRING {
		return jsonNode{decimalText{size: size, precision: d.Precision(), scale: d.Scale()}}, nil
	}
	if dt, ok := t.(*arrow.Decimal128Type); !ok || int(dt.Scale) != d.Scale() || int(dt.Precision) < d.Precision() || d.Precision() > 38 {
		return nil, misfit(s, t)
	}
	return decimalNode{size: size, precision: int32(d.Precision())}, nil
}

// decimalText writes all digits: 12.30, or "12.30" in JSON, whose readers would make a double of it.
type decimalText struct {
	size, precision, scale int
	quote                  bool
}

func (n decimalText) least() int { return max(1, n.size) }

func (n decimalText) append(w *wire, out []byte, _ int) ([]byte, error) {
	b, err := decimalBytes(w, n.size)
	if err != nil {
		return out, err
	}
	negative := len(b) > 0 && b[0]&0x80 != 0
	sign := byte(0)
	if negative {
		sign = 0xff
	}
	for len(b) > 1 && b[0] == sign && (b[1]^sign)&0x80 == 0 {
		b = b[1:]
	}
	if len(b) > n.precision/2+2 { // a byte has more than two digits
		return out, errDigits
	}
	var room [20]byte
	digits := room[:0]
	if len(b) <= 8 {
		v := int64(int8(sign))
		for _, x := range b {
			v = v<<8 | int64(x)
		}
		u := uint64(v)
		if negative {
			u = -u
		}
		digits = strconv.AppendUint(digits, u, 10)
	} else {
		v := new(big.Int).SetBytes(b)
		if negative {
			v.Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))), v)
		}
		digits = v.Append(digits, 10)
	}
	if len(digits) > n.precision {
		return out, errDigits
	}
	if n.quote {
		out = append(out, '"')
	}
	if negative {
		out = append(out, '-')
	}
	whole := max(len(digits)-n.scale, 0)
	out = append(out, digits[:whole]...)
	if whole == 0 {
		out = append(out, '0')
	}
	if n.scale > 0 {
		out = append(out, '.')
		for range n.scale - len(digits) {
			out = append(out, '0')
		}
		out = append(out, digits[whole:]...)
	}
	if n.quote {
		out = append(out, '"')
	}
	return out, nil
}
