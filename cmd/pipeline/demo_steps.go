package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/notify"
	"weir/internal/prove"
	"weir/internal/show"
	"weir/internal/telemetry"
	"weir/minibatch"
	"weir/profiles"
)

// demo is one run of the whole product.
type demo struct {
	*site
	count   config.Count
	began   time.Time
	result  demoResult
	live    *load.Live
	message string // what the report's unit received
}

// demoResult is the contract of `pipeline demo --json`.
type demoResult struct {
	Sent        int64   `json:"sent"`
	Committed   int64   `json:"committed"`
	Quarantined int64   `json:"quarantined"`
	Lost        int64   `json:"lost"`
	Doubled     int64   `json:"doubled"`
	Altered     int64   `json:"altered"`
	ReportRows  int64   `json:"report_rows"`
	Notified    int64   `json:"notified"`
	ReadableP99 float64 `json:"readable_p99_ms"`
	Seconds     float64 `json:"seconds"`
	RSS         float64 `json:"rss_mb"`

	Run       string `json:"run"`
	Reordered int64  `json:"reordered"`
	Verdict   string `json:"load_verdict"`
}

func (r demoResult) good() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.Altered == 0 && r.Reordered == 0 && r.Committed+r.Quarantined >= r.Sent
}

// do is the way of the data, step by step.
func (d *demo) do(ctx context.Context) error {
	if err := d.connect(ctx); err != nil {
		return err
	}
	profile, err := d.profile()
	if err != nil {
		return err
	}
	if err := d.prepare(ctx, profile); err != nil {
		return err
	}
	in, err := job.Find(d.project.JobsDir(), "transactions", kinds)
	if err != nil {
		return err
	}
	// Stream until the load has ended and all of it is in the table.
	stream, stop := context.WithCancel(ctx)
	defer stop()
	type started struct {
		job *ingest.Job
		at  *show.Stream
	}
	connected, ended := make(chan started, 1), make(chan error, 1)
	go func() {
		_, err := d.execute(stream, in, execution{id: ulid.Make().String(), mode: minibatch.Daemon, started: func(j *ingest.Job, w *show.Stream) { connected <- started{j, w} }})
		ended <- err
	}()
	var st started
	select {
	case st = <-connected:
	case err := <-ended:
		return err
	}
	sum, err := d.load(ctx, profile)
	if err != nil {
		return err
	}
	if err := d.caughtUp(ctx, st.job, st.at, ended); err != nil {
		return err
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	rep, err := job.Find(d.project.JobsDir(), "daily_totals", kinds)
	if err != nil {
		return err
	}
	r, err := d.execute(ctx, rep, execution{id: ulid.Make().String(), mode: minibatch.Once})
	if err != nil {
		return err
	}
	if err := d.told(ctx); err != nil {
		return err
	}
	d.result.Run, d.result.Verdict, d.result.ReportRows = sum.Run, string(sum.Verdict), r.RowsOut
	return d.prove(ctx, rep.Name)
}

func (d *demo) profile() (*load.Profile, error) {
	b, err := profiles.Files.ReadFile("demo.yaml")
	if err != nil {
		return nil, err
	}
	p, err := load.Parse("profiles/demo.yaml", b)
	if err != nil {
		return nil, err
	}
	return p, p.Apply(load.Override{Count: d.count})
}

// prepare makes topic and schema before the stream begins: its table is made from the schema.
func (d *demo) prepare(ctx context.Context, p *load.Profile) error {
	mix, err := p.Compile()
	if err != nil {
		return err
	}
	cl, err := kafka.Connect(d.kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.EnsureTopic(ctx, cl, p.Topic.Name, int(p.Topic.Partitions)); err != nil {
		return err
	}
	_, err = d.schemas.Register(ctx, p.Topic.Name+"-value", mix.Generator(0).Schema())
	return err
}

func (d *demo) load(ctx context.Context, p *load.Profile) (load.Summary, error) {
	sum, err := load.Run(ctx, load.Options{
		Profile: p, Home: d.project.Home, Log: d.app.Log, Live: d.live,
		Connect:  func(o ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(d.kafka, o...) },
		Register: d.schemas.Register,
		Progress: func(p load.Progress) {
			l := show.Load(p)
			d.hub.Update(func(sn *control.Snapshot) {
				sn.Load = l
				sn.Proof = soFar(sn, l)
			})
		},
	})
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return sum, err
}

// soFar is what the streams say while the load goes on; only the end is a proof.
func soFar(sn *control.Snapshot, l *control.Load) *control.Proof {
	p := &control.Proof{At: time.Now(), Run: l.Run, Sent: l.Acked}
	for _, s := range sn.Streams {
		p.Rows += s.Rows
		p.Quarantined += s.Quarantined
	}
	p.InFlight = max(0, p.Sent-p.Rows-p.Quarantined)
	return p
}

// caughtUp waits until the table has all that the topic has.
func (d *demo) caughtUp(ctx context.Context, j *ingest.Job, w *show.Stream, ended chan error) error {
	for {
		lag, err := j.Lag(ctx, w.Cursor())
		if err != nil {
			return err
		}
		var behind int64
		for _, l := range lag {
			behind += l.End - l.Next
		}
		if behind == 0 {
			return nil
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("the stream ended before the topic"), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *demo) prove(ctx context.Context, report string) error {
	v, err := prove.Run(ctx, d.project.Home, d.result.Run, "", d.lake, func(table string) (map[int64]time.Time, error) { return d.ledger.ReadableAt(ctx, table) })
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	r := &d.result
	r.Sent, r.Committed, r.Quarantined, r.Lost, r.Doubled, r.Altered, r.Reordered = v.Sent, v.Rows, v.Quarantined, v.Lost, v.Doubled, v.Altered, v.Reordered
	r.ReadableP99 = v.ReadableP99
	st, err := d.notify.Status(ctx, 50)
	if err != nil {
		return err
	}
	r.Notified = st.Sent
	sent, err := d.notify.Outbox(ctx, notify.Filter{Job: report, State: "sent"})
	if err != nil {
		return err
	}
	if len(sent) > 0 {
		d.message = sent[0].Text
	}
	r.Seconds, r.RSS = time.Since(d.began).Seconds(), float64(telemetry.PeakRSS())/1e6
	d.hub.Update(func(sn *control.Snapshot) { sn.Proof = show.Proof(v) })
	d.hub.Update(func(sn *control.Snapshot) { sn.Done = true })
	return nil
}
