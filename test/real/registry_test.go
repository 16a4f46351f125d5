//go:build real

package real

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/internal/avro"
	"weir/internal/registry"
	"weir/test/real/parts"
)

const (
	order = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}`
	// A reader with this schema can read an Order.
	orderWithNote = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}`
	// A reader with this one cannot: an Order has no amount, and there is no default.
	orderWithAmount = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"amount","type":"long"}]}`
)

func newClient(t *testing.T, url string) *registry.Client {
	t.Helper()
	c, err := registry.New(registry.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// columns counts the table columns that a schema means.
func columns(t *testing.T, s *avro.Schema) int {
	t.Helper()
	a, err := avro.ArrowSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	return a.NumFields()
}

func TestTheRegistryClientUnderstandsARealRegistry(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	server := parts.ServeRegistry(t, parts.Kafka(t))
	c := newClient(t, server.URL)

	first, err := c.Register(ctx, "orders-value", order)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Register(ctx, "orders-value", orderWithNote)
	if err != nil || second == first {
		t.Fatalf("a compatible second schema: id %d after %d, %v", second, first, err)
	}
	if _, err := c.Register(ctx, "orders-value", orderWithAmount); !errors.Is(err, registry.ErrIncompatible) {
		t.Errorf("an incompatible schema: %v, want ErrIncompatible", err)
	} else {
		t.Log("incompatible:", err)
	}

	// Fresh clients: the first one remembers what it registered.
	if again, err := newClient(t, server.URL).Register(ctx, "orders-value", order); err != nil || again != first {
		t.Errorf("the first schema again: id %d, %v, want %d", again, err, first)
	}
	other := newClient(t, server.URL)
	for id, fields := range map[int]int{first: 1, second: 2} {
		s, err := other.Schema(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if got := columns(t, s); got != fields {
			t.Errorf("schema %d has %d fields, want %d: %s", id, got, fields, s)
		}
	}
	if id, s, err := other.Latest(ctx, "orders-value"); err != nil || id != second || columns(t, s) != 2 {
		t.Errorf("latest: id %d, %v, want %d", id, err, second)
	}
	if _, err := other.Schema(ctx, 4711); !errors.Is(err, registry.ErrUnknownID) || errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("an unknown id: %v, want ErrUnknownID", err)
	}
	if _, _, err := other.Latest(ctx, "nobody-value"); !errors.Is(err, registry.ErrNoSubject) || errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("an unknown subject: %v, want ErrNoSubject", err)
	}

	server.Kill(t)
	// Down is never "unknown": a record whose schema cannot be asked for just now must wait, not go to quarantine.
	_, err = newClient(t, server.URL).Schema(ctx, first)
	if !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrUnknownID) {
		t.Errorf("a registry that is down: %v, want ErrUnavailable", err)
	}
	if _, err := other.Schema(ctx, first); err != nil {
		t.Errorf("a schema that was read before, while the registry is down: %v", err)
	}
	server.Start(t)
	if s, err := newClient(t, server.URL).Schema(ctx, second); err != nil || columns(t, s) != 2 {
		t.Errorf("after the restart: %v", err)
	}
}
