package ingest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/avro"
	"weir/internal/quarantine"
	"weir/internal/registry"
	"weir/minibatch"
)

// Something is refused every second, for hours: the job looks all the same, as often as when something new was refused.
func TestRefusalsDoNotPutALookOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &Job{again: again{soon: againSoon, fresh: make(chan struct{}, 1)}}
		begun := time.Now()
		var looks []time.Duration
		ctx, stop := context.WithCancel(t.Context())
		ended := j.again.keepLooking(ctx, func(context.Context) { looks = append(looks, time.Since(begun)) })
		for range 60 {
			<-time.After(time.Second)
			j.refused(minibatch.Event{Kind: minibatch.Committed, Refused: 1})
		}
		stop()
		<-ended
		if len(looks) < 8 || looks[0] != againSoon {
			t.Errorf("in a minute it looked at %v", looks)
		}
	})
}

// Nothing new: the looks become rarer, and one refusal brings the next one near.
func TestLooksBecomeRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &Job{again: again{soon: againSoon, fresh: make(chan struct{}, 1)}}
		begun := time.Now()
		var looks []time.Duration
		ctx, stop := context.WithCancel(t.Context())
		ended := j.again.keepLooking(ctx, func(context.Context) { looks = append(looks, time.Since(begun)) })
		<-time.After(time.Hour)
		n := len(looks)
		if n < 12 || n > 20 || looks[1] != 3*againSoon || looks[n-1]-looks[n-2] != againLate {
			t.Errorf("in an hour it looked at %v", looks)
		}
		j.refused(minibatch.Event{Kind: minibatch.Committed, Refused: 1})
		<-time.After(againSoon + time.Second)
		stop()
		<-ended
		if len(looks) != n+1 || looks[n] != time.Hour+againSoon {
			t.Errorf("after a refusal it looked at %v", looks[n:])
		}
	})
}

// odd is a registry with answers of its own.
type odd struct {
	Schemas
	says map[int]error
}

func (o odd) Schema(ctx context.Context, id int) (*avro.Schema, error) {
	if err := o.says[id]; err != nil {
		return nil, err
	}
	return o.Schemas.Schema(ctx, id)
}

// An id that turned out to be of no Avro schema is written down as that, an odd answer is told, and neither holds up the others.
func TestAnUnreadableSchemaDoesNotHoldUpTheOthers(t *testing.T) {
	s := newSite(t)
	s.sendUnknown(0, 3)
	s.send(&kgo.Record{Value: framed(99, []byte("x"))}, &kgo.Record{Value: framed(98, []byte("x"))})
	s.drain(lax)
	s.learn()
	j := s.job(lax)
	j.parts.Schemas = odd{s.reg, map[int]error{98: fmt.Errorf("schema 98: %w", registry.ErrUnreadable), 99: errors.New("schema 99: no answer that one knows")}}
	var told []error
	j.OnReplay(func(r Replayed, err error) {
		if told = append(told, err); r.Replayed != 3 || r.Stayed != 1 {
			t.Errorf("replayed %+v", r)
		}
	})
	j.lookAgain(t.Context())
	if len(told) != 1 || told[0] == nil {
		t.Errorf("told %v", told)
	}
	s.wantNumbers(3)
	for _, r := range s.held() {
		if want := map[int32]quarantine.Reason{98: quarantine.Undecodable, 99: quarantine.UnknownSchema}[r.SchemaID]; r.Reason != want {
			t.Errorf("id %d is there as %s, want %s", r.SchemaID, r.Reason, want)
		}
	}
}
