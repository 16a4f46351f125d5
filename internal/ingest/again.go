package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/registry"
	"weir/minibatch"
)

// How often a running job asks the registry for the ids that it did not know: soon after something new was refused, and ever more
// rarely after that.
const (
	againSoon = 5 * time.Second
	againLate = 5 * time.Minute
	// askedIDs is the most ids of one look: a producer that makes them up must not make the job storm the registry.
	askedIDs = 50
)

// again replays quarantined records whose schema id the registry knows by now.
type again struct {
	soon     time.Duration
	fresh    chan struct{}         // something was refused
	tell     func(Replayed, error) // nil: nobody listens
	snapshot int64                 // of the quarantine that ids are of
	ids      []int32               // that the registry did not know
}

// OnReplay says who hears of what the job replays by itself, and of what hinders it; not while it runs.
func (j *Job) OnReplay(tell func(Replayed, error)) { j.again.tell = tell }

// keepLooking looks again and again until ctx is done; wait for the end of what it returns.
func (a *again) keepLooking(ctx context.Context, look func(context.Context)) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		wait := a.soon
		for due := time.Now().Add(wait); ; {
			select {
			case <-ctx.Done():
				return
			case <-a.fresh: // it brings the next look nearer, and never puts it off
				wait = a.soon
				if soon := time.Now().Add(wait); soon.Before(due) {
					due = soon
				}
			case <-time.After(time.Until(due)):
				look(ctx)
				wait = min(2*wait, againLate)
				due = time.Now().Add(wait)
			}
		}
	}()
	return ended
}

// refused notes that there is something new to look for.
func (j *Job) refused(e minibatch.Event) {
	if e.Kind == minibatch.Committed && e.Refused > 0 {
		select {
		case j.again.fresh <- struct{}{}:
		default:
		}
	}
}

// lookAgain asks the registry once, and replays what it knows. Errors are told, not returned: the job goes on.
func (j *Job) lookAgain(ctx context.Context) {
	r, err := j.replayKnown(ctx)
	if ctx.Err() == nil && j.again.tell != nil && (err != nil || r.Picked > 0) {
		j.again.tell(r, err)
	}
}

func (j *Job) replayKnown(ctx context.Context) (Replayed, error) {
	if _, ok := j.framing.part().(confluent); !ok { // other formats have no ids that one could ask for
		return Replayed{}, nil
	}
	if j.cfg.Write == upsert { // see Replay
		return Replayed{}, nil
	}
	if err := j.learnIDs(ctx); err != nil || len(j.again.ids) == 0 {
		return Replayed{}, err
	}
	known := map[int32]bool{}
	var others []error // of ids that must not hold up the rest
	for _, id := range j.again.ids[:min(len(j.again.ids), askedIDs)] {
		switch _, err := j.parts.Schemas.Schema(ctx, int(id)); {
		case err == nil, errors.Is(err, registry.ErrUnreadable): // which the replay writes down: nobody asks for it again
			known[id] = true
		case errors.Is(err, registry.ErrUnavailable), ctx.Err() != nil:
			return Replayed{}, err
		case !errors.Is(err, registry.ErrUnknownID):
			others = append(others, err)
		}
	}
	if n := min(len(j.again.ids), askedIDs); n < len(j.again.ids) { // the others come first next time
		j.again.ids = append(j.again.ids[n:], j.again.ids[:n]...)
	}
	if len(known) == 0 {
		return Replayed{}, errors.Join(others...)
	}
	r, err := Replay(ctx, j.name, j.cfg, j.parts, Pick{Reason: quarantine.UnknownSchema, Schemas: known}, false)
	return r, errors.Join(append(others, err)...)
}

// learnIDs finds the ids that wait in the quarantine; it reads rows only where the quarantine has changed since.
func (j *Job) learnIDs(ctx context.Context) error {
	q, err := j.parts.Lake.Table(ctx, quarantine.Table(j.cfg.Table))
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := q.Plan(ctx)
	if err != nil || p.Snapshot == j.again.snapshot {
		return err
	}
	var ids []int32
	err = quarantine.Each(ctx, j.parts.Lake, j.cfg.Table, func(r quarantine.Row) bool {
		if r.Reason == quarantine.UnknownSchema && r.Topic == j.cfg.Topic && !slices.Contains(ids, r.SchemaID) {
			ids = append(ids, r.SchemaID)
		}
		return true
	})
	if err != nil {
		return err
	}
	j.again.ids, j.again.snapshot = ids, p.Snapshot
	return nil
}
