package avro

import (
	"bytes"
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each of these is a few bytes that promise a lot.
func TestHostileBytes(t *testing.T) {
	const decimal = `{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`
	for _, c := range []struct {
		name, typ string
		datum     []byte
		want      error
	}{
		{"text of 2^62 bytes", `"string"`, wireOf(int64(1)<<62, []byte("a")), errLength},
		{"text of -1 bytes", `"string"`, wireOf(-1), errLength},
		{"bytes of 2^63-1", `"bytes"`, wireOf(int64(math.MaxInt64)), errLength},
		{"bytes one too long", `"bytes"`, wireOf(3, []byte("ab")), errLength},
		{"2^40 items", `{"type":"array","items":"int"}`, wireOf(int64(1)<<40, 1), errBlock},
		{"-2^40 items", `{"type":"array","items":"int"}`, wireOf(-int64(1)<<40, 1, 1), errBlock},
		{"-2^63 items", `{"type":"array","items":"int"}`, wireOf(int64(math.MinInt64), 1, 1), errBlock},
		{"items of 8 bytes in a datum of 12", `{"type":"array","items":"double"}`, append(wireOf(2), make([]byte, 12)...), errBlock},
		{"2^40 entries", `{"type":"map","values":"int"}`, wireOf(int64(1)<<40, "k", 1), errBlock},
		{"block without items", `{"type":"array","items":"int"}`, wireOf(1), errBlock},
		{"number without end", `"long"`, bytes.Repeat([]byte{0xff}, 11), errVarint},
		{"number of 65 bits", `"long"`, append(bytes.Repeat([]byte{0xff}, 9), 2), errVarint},
		{"number cut", `"long"`, []byte{0xff}, errShort},
		{"long in an int", `"int"`, wireOf(int64(1) << 31), errInt},
		{"long in a time", `{"type":"int","logicalType":"time-millis"}`, wireOf(int64(1) << 31), errInt},
		{"int in six bytes", `"int"`, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, errInt},
		{"boolean 2", `"boolean"`, []byte{2}, errBool},
		{"float cut", `"float"`, []byte{2}, errShort},
		{"double cut", `"double"`, []byte{2}, errShort},
		{"fixed cut", `{"type":"fixed","name":"F","size":3}`, []byte{2}, errLength},
		{"decimal of five digits", decimal, wireOf(2, []byte{0x27, 0x10}), errDigits},
		{"decimal of minus five digits", decimal, wireOf(2, []byte{0xd8, 0xf0}), errDigits},
		{"decimal of 17 bytes", decimal, wireOf(17, bytes.Repeat([]byte{1}, 17)), errDigits},
		{"decimal of -2^127", decimal, wireOf(16, append([]byte{0x80}, make([]byte, 15)...)), errDigits},
		{"millis beyond micros", `{"type":"long","logicalType":"timestamp-millis"}`, wireOf(int64(math.MaxInt64)/1000 + 1), errTime},
		{"key that is not UTF-8", `{"type":"map","values":"int"}`, wireOf(1, "\xc0", 1, 0), errUTF8},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := recordOf("first \"string\"", "f "+c.typ)
			target := mustTarget(t, text)
			b := mustBatch(t, target)
			p := mustCompile(t, text, target)
			err := b.Append(p, append(wireOf("x"), c.datum...))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if cols := b.Flush(); cols[0].Len()+cols[1].Len() != 0 {
				t.Errorf("left behind: %v", cols)
			}
		})
	}
}

func TestUnknownBranchAndSymbol(t *testing.T) {
	for _, c := range []struct {
		typ   string
		datum []byte
		want  string
	}{
		{`["null","int"]`, wireOf(2), "field f, byte 1: branch 2 of a union of 2"},
		{`["null","int"]`, wireOf(-1), "field f, byte 1: branch -1 of a union of 2"},
		{`{"type":"enum","name":"E","symbols":["A","B"]}`, wireOf(2), "field f, byte 1: symbol 2 of an enum of 2"},
		{`{"type":"enum","name":"E","symbols":["A","B"]}`, wireOf(-1), "field f, byte 1: symbol -1 of an enum of 2"},
	} {
		text := recordOf("f " + c.typ)
		target := mustTarget(t, text)
		wantError(t, mustBatch(t, target).Append(mustCompile(t, text, target), c.datum), c.want)
	}
}

// The greatest and smallest values that must not be refused.
func TestEdges(t *testing.T) {
	text := recordOf(`d {"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `t {"type":"long","logicalType":"timestamp-millis"}`)
	target := mustTarget(t, text)
	b := mustBatch(t, target)
	p := mustCompile(t, text, target)
	padded := append(bytes.Repeat([]byte{0xff}, 30), 0xd8, 0xf1) // -9999 with its sign repeated
	for _, datum := range [][]byte{wireOf(2, []byte{0x27, 0x0f}, int64(math.MaxInt64/1000)), wireOf(32, padded, int64(math.MinInt64/1000))} {
		if err := b.Append(p, datum); err != nil {
			t.Fatal(err)
		}
	}
	cols := b.Flush()
	if got := row(target, cols, 0); got["d"] != digits("9999") || got["t"] != instant(math.MaxInt64/1000*1000) {
		t.Errorf("got %v", got)
	}
	if got := row(target, cols, 1); got["d"] != digits("-9999") || got["t"] != instant(math.MinInt64/1000*1000) {
		t.Errorf("got %v", got)
	}
}

// 1000 hostile data of 16 bytes each allocate less than what one honest megabyte would.
func TestHostileBytesAllocateLittle(t *testing.T) {
	text := recordOf(`s {"type":"array","items":{"type":"map","values":{"type":"array","items":"string"}}}`)
	target := mustTarget(t, text)
	p := mustCompile(t, text, target)
	b := mustBatch(t, target)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 1000 {
		datum := wireOf(1, 1, "k", int64(1)<<(i%63), int64(1)<<50)
		if err := b.Append(p, datum); err == nil {
			t.Fatalf("%x is no datum", datum)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for 16 kB of hostile data", n)
	}
}

func TestTextBeyondArrowsOffsets(t *testing.T) {
	c := &texts{offsets: []int32{0}, data: make([]byte, math.MaxInt32)} // never touched, hence never there
	if err := c.add([]byte("a")); !errors.Is(err, errFull) || c.rows() != 0 {
		t.Errorf("got %v and %d rows", err, c.rows())
	}
}

// A batch that has been used once takes the next data without growing.
func TestAppendAllocatesNothing(t *testing.T) {
	text := string(readFile(t, "testdata/bank-transaction.avsc"))
	s := mustParse(t, text)
	target := mustTarget(t, text)
	p := mustCompile(t, text, target)
	b := mustBatch(t, target)
	datum := (&dice{bytes: []byte(strings.Repeat("\x05\x01\x02", 400))}).datum(nil, s.root)
	fill := func() {
		for range 1000 {
			if err := b.Append(p, datum); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	b.Flush()
	fill() // flags and nulls keep their buffers
	b.Flush()
	if n := testing.AllocsPerRun(1, func() { fill(); b.Flush() }); n > 400 {
		t.Errorf("%v allocations for 1000 data", n)
	}
}
