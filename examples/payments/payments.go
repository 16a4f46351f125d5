// Package payments is a job as another team would write it: payments from a Kafka topic, joined with a table of customers,
// into a table. Everything but the business logic between the two lines is weir's: recovery, retries, exactly once,
// quarantine, accounting.
package payments

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"weir/minibatch"
	"weir/minibatch/kafka"
	"weir/minibatch/table"
)

// ---- business logic

type payment struct {
	ID, Customer string
	Cents        int64
	At           time.Time
}

type customer struct{ ID, Segment string }

// Enriched is a row of the destination.
type Enriched struct {
	ID      string
	Segment string
	Euros   float64
	PaidAt  time.Time `table:"paid_at"`
}

func enrich(l *table.Lake) func(context.Context, minibatch.Part, iter.Seq2[kafka.Record, error], minibatch.Emit[Enriched]) error {
	return func(ctx context.Context, _ minibatch.Part, in iter.Seq2[kafka.Record, error], emit minibatch.Emit[Enriched]) error {
		segments := map[string]string{}
		for c, err := range table.Read[customer](ctx, l, "bank.customers") {
			if err != nil {
				return err
			}
			segments[c.ID] = c.Segment
		}
		for r, err := range in {
			var p payment
			switch {
			case err != nil:
			case json.Unmarshal(r.Value, &p) != nil:
				err = minibatch.Quarantine(ctx, string(r.Value), "no payment")
			case segments[p.Customer] == "":
				err = minibatch.Quarantine(ctx, p, "unknown customer")
			default:
				err = emit(Enriched{p.ID, segments[p.Customer], float64(p.Cents) / 100, p.At})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// ---- wiring

// Job connects the job; stop closes its connections. Run it with minibatch.Run.
func Job(ctx context.Context, brokers []string, l *table.Lake) (j minibatch.Job[kafka.Record, Enriched], stop func(), err error) {
	src, err := kafka.From(ctx, kafka.Cluster{Brokers: brokers}, "payments")
	if err != nil {
		return j, nil, err
	}
	dst, err := table.Append[Enriched](ctx, l, "bank.enriched")
	if err != nil {
		src.Close()
		return j, nil, err
	}
	return minibatch.Job[kafka.Record, Enriched]{Name: "enrich_payments", Source: src, Transform: enrich(l), Sink: dst, OneToOne: true}, src.Close, nil
}
