package lake

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// Each library reads the other's frames, and a page that is cut or damaged is an error.
func TestZstdFramesAreOfOneFormat(t *testing.T) {
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		t.Fatal(err)
	}
	if _, ours := codec.(libzstd); !ours {
		t.Fatalf("pages are compressed with %T", codec)
	}
	inGo, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer inGo.Close()
	fromGo, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fromGo.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 100, 64 << 10, 1 << 20, 5 << 20} {
		page := make([]byte, size)
		for i := range page {
			page[i] = byte('A' + r.IntN(1+i%26))
		}
		for _, level := range []int{compress.DefaultCompressionLevel, 1, 3, 19} {
			if size > 1<<20 && level > 3 {
				continue // seconds
			}
			packed := codec.EncodeLevel(make([]byte, 0, codec.CompressBound(int64(size))), page, level)
			got, err := inGo.DecodeAll(packed, nil)
			if err != nil || !bytes.Equal(got, page) {
				t.Errorf("%d bytes at level %d: the library in Go reads %d bytes: %v", size, level, len(got), err)
			}
		}
		packed := fromGo.EncodeAll(page, nil)
		got, err := compress.Decode(codec, make([]byte, 0, size), packed)
		if err != nil || !bytes.Equal(got, page) {
			t.Errorf("%d bytes from the library in Go: we read %d: %v", size, len(got), err)
		}
		if _, err := compress.Decode(codec, make([]byte, 0, size), packed[:len(packed)-1]); err == nil {
			t.Errorf("a page of %d bytes that lacks its last one was read", size)
		}
		var unsized bytes.Buffer // a frame that does not tell its length, as Java's streams write it
		fromGo.Reset(&unsized)
		if _, err := fromGo.Write(page); err != nil {
			t.Fatal(err)
		}
		if err := fromGo.Close(); err != nil {
			t.Fatal(err)
		}
		into := make([]byte, size)
		got, err = compress.Decode(codec, into, unsized.Bytes())
		if err != nil || !bytes.Equal(into, page) || len(got) != size {
			t.Errorf("%d bytes of a stream: %d are where the reader looks for them: %v", size, len(got), err)
		}
		if _, err := compress.Decode(codec, make([]byte, 0, size/2), packed); err != nil {
			t.Errorf("%d bytes into a buffer that is too small: %v", size, err)
		}
	}
	if _, err := compress.Decode(codec, nil, []byte("no frame at all")); err == nil {
		t.Error("what is no frame was read")
	}
	for _, nulls := range [][]byte{nil, {}} { // a page without a value
		if got, err := compress.Decode(codec, nil, nulls); err != nil || len(got) != 0 {
			t.Errorf("nothing became %q, %v", got, err)
		}
	}
}
