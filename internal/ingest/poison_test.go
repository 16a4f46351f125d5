package ingest

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/avro"
	"weir/internal/registry"
	"weir/minibatch"
)

// protobufAt is a registry that has a schema of another kind under one id.
type protobufAt struct {
	Schemas
	id int
}

func (p protobufAt) Schema(ctx context.Context, id int) (*avro.Schema, error) {
	if id == p.id {
		return nil, registry.ErrUnreadable
	}
	return p.Schemas.Schema(ctx, id)
}

func TestASchemaThatNobodyCanReadStopsNothing(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.send(&kgo.Record{Value: framed(s.id+1, []byte("x"))})
	j, err := New(t.Context(), "orders", lax, Parts{Kafka: s.kafka, Schemas: protobufAt{s.reg, s.id + 1}, Lake: s.lake})
	s.ok(err)
	defer j.Close()
	r, err := j.Run(t.Context(), minibatch.Drain, nil)
	if err != nil || r.RowsOut != 3 || r.Quarantined != 1 {
		t.Errorf("got %+v, %v; want 3 rows and 1 in quarantine", r, err)
	}
}

// Before any message has been read nobody knows how large they are.
func TestTheFirstBatchIsSmall(t *testing.T) {
	s := newSite(t)
	for range 40 {
		s.send(&kgo.Record{Value: make([]byte, 300_000)})
	}
	b, err := s.job(lax).source.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 200_000, Bytes: 1 << 20, Parallel: 1})
	if err != nil || b.Rows > 16 {
		t.Errorf("%d rows, %v; want no more than the limit holds at 64 KiB each", b.Rows, err)
	}
}
