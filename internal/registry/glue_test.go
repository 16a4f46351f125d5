package registry

import (
	"errors"
	"testing"

	"weir/internal/fake"
)

func TestGlue(t *testing.T) {
	server := fake.NewGlueSchemas(t)
	id := [16]byte{0x3f, 0xa8, 5: 0x41, 15: 7}
	server.Put("orders", UUID(id), `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`)
	g := NewGlue(GlueConfig{Region: "eu-central-1", Endpoint: server.URL})
	for range 3 {
		s, err := g.Version(t.Context(), id)
		if err != nil || s.String() != `{"name":"R","type":"record","fields":[{"name":"a","type":"int"}]}` {
			t.Fatalf("got %v, %v", s, err)
		}
	}
	if n := server.Asked(); n != 1 {
		t.Errorf("%d requests for one id", n)
	}
	if s, err := g.Newest(t.Context(), "orders"); err != nil || s == nil {
		t.Errorf("got %v, %v", s, err)
	}
	if _, err := g.Version(t.Context(), [16]byte{1}); !errors.Is(err, ErrUnknownID) || err.Error() != "schema version 01000000-0000-0000-0000-000000000000: the registry does not know this schema id" {
		t.Errorf("got %v", err)
	}
	if _, err := g.Newest(t.Context(), "others"); !errors.Is(err, ErrNoSubject) {
		t.Errorf("got %v", err)
	}
	server.Down(true)
	if _, err := g.Version(t.Context(), [16]byte{2}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := NewGlue(GlueConfig{Region: "eu-central-1", Endpoint: "http://127.0.0.1:1"}).Version(t.Context(), id); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
