package files

import (
	"fmt"
	"io"

	"github.com/hamba/avro/v2/ocf"

	"weir/minibatch"
)

// Avro reads Avro object container files into a struct whose fields are named by `avro:"name"` tags, or a map[string]any.
func Avro[T any]() Format[T] {
	return Whole(func(in io.Reader, file string, yield func(Record[T], error) bool) error {
		d, err := ocf.NewDecoder(in)
		if err != nil {
			return minibatch.Fatal(fmt.Errorf("%s: no Avro container file: %w", file, err))
		}
		defer func() { _ = d.Close() }()
		for n := int64(0); d.HasNext(); n++ {
			r := Record[T]{Origin: Origin{File: file, Offset: n}}
			if err := d.Decode(&r.Value); err != nil {
				return minibatch.Fatal(fmt.Errorf("%s: record %d: %w", file, n, err)) // where the next one begins is not known
			}
			if !yield(r, nil) {
				return nil
			}
		}
		if err := d.Error(); err != nil {
			return minibatch.Fatal(fmt.Errorf("%s: the Avro file is cut or broken: %w", file, err))
		}
		return nil
	})
}
