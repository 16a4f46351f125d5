package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/content"
)

// Options of a run. Connect, Register and Home are needed.
type Options struct {
	Profile *Profile
	Home    string // the manifest goes to Home/load
	// Connect makes the Kafka client; the options are the producer's.
	Connect func(...kgo.Opt) (*kgo.Client, error)
	// Lookup asks the registry for a subject's schema; only profiles that name one need it.
	Lookup Lookup
	// Register gives the registry's id of a schema.
	Register func(ctx context.Context, subject, schema string) (int, error)
	// Progress is called from one goroutine about four times a second, and once at the end. nil: nobody looks.
	Progress func(Progress)
	Log      *slog.Logger // nil: silent
	Senders  int          // goroutines that send; 0: as many as the rate needs

	// Pipeline is the process that fills the table, 0 while there is none; only thresholds on its memory need it.
	Pipeline func() int
	// Holds counts the rows of the run's table; only volume.until needs it.
	Holds func(ctx context.Context) (int64, error)
	Run   ulid.ULID     // its name; zero: a new one
	Keep  func(*Record) // gets what was measured, at the end; nil: nobody keeps it
	// Shard is the part of the run that this process sends; zero: all of it.
	Shard ShardOf
	// Live changes the run while it runs; nil: nobody does.
	Live *Live
	// Clocks compares the broker's clock with ours, by some records in a topic of its own.
	Clocks bool

	nap  func(time.Duration) // tests with virtual time
	from *Manifest           // of the run that is taken up again
}

// Run does what the profile says and returns when the last message is settled. A ctx that ends stops the sending; what was
// sent is still waited for, a while.
//
// Its order: content, connection, topic, schema, manifest, warm-up, schedule. An error means that the schedule did not start or
// that the manifest could not be kept; everything else is in the verdict.
func Run(ctx context.Context, o Options) (Summary, error) {
	if o.Live == nil {
		o.Live = NewLive()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	mix, streams, err := o.content(ctx)
	if err != nil {
		return Summary{}, err
	}
	mean := mix.MeanSize()
	o.Profile.fit(mean)
	if o.Run.IsZero() {
		o.Run = ulid.Make()
	}
	options := o.Profile.clientOptions()
	if o.Profile.Producer.Transaction.on() {
		options = append(options, kgo.TransactionalID(transactionalID+o.Run.String()), kgo.TransactionTimeout(time.Minute))
	}
	client, err := o.Connect(options...)
	if err != nil {
		return Summary{}, err
	}
	defer client.Close()
	r, err := newRun(o, mix, mean, client)
	if err != nil {
		return Summary{}, err
	}
	if o.from != nil {
		err = r.restore(ctx)
	} else {
		for i, m := range o.Profile.parts() {
			if err = r.prepare(ctx, i, &m, streams[i].Spec); err != nil {
				break
			}
		}
	}
	if err != nil {
		return Summary{}, err
	}
	if o.Clocks {
		r.compareClocks(ctx)
	}
	if r.reader, err = r.startReader(ctx); err != nil {
		return Summary{}, err
	}
	defer r.reader.close()
	return r.do(ctx)
}

// content is what the run sends; a run that is taken up again sends what it did before, whatever has become of its schemas.
func (o *Options) content(ctx context.Context) (*content.Mix, []content.Stream, error) {
	if o.from != nil {
		mix, err := o.from.Mix()
		return mix, nil, err
	}
	if err := o.Profile.Resolve(ctx, o.Lookup); err != nil {
		return nil, nil, err
	}
	streams, err := o.Profile.streams()
	if err != nil {
		return nil, nil, err
	}
	mix, err := content.NewMix(o.Profile.seed(), streams)
	return mix, streams, err
}

// transactionalID is what the transactional ids of runs begin with.
const transactionalID = "weir-load-"

// prepare makes the topic and the schema of a stream.
func (r *run) prepare(ctx context.Context, i int, m *MixPart, spec content.Spec) error {
	partitions, err := ensureTopic(ctx, r.client, m.Topic)
	if err != nil {
		return err
	}
	id, subject := m.Value.Schema.id, m.subject()
	if id == 0 {
		if id, err = r.Register(ctx, subject, r.mix.Generator(i).Schema()); err != nil {
			return fmt.Errorf("register schema %s: %w", subject, err)
		}
	}
	r.mix.SetSchemaID(i, id)
	later := 0
	if g := r.mix.Later(i); g != nil { // before the first message: a refusal of the registry ends the run at its start
		if later, err = r.Register(ctx, subject, g.Schema()); err != nil {
			return fmt.Errorf("register the second schema of value.evolve: %s: %w", subject, err)
		}
		r.mix.SetLaterID(i, later)
	}
	r.aim(i, m, partitions)
	r.manifest.Streams = append(r.manifest.Streams, StreamRecord{
		Name: m.Name, Weight: m.Weight, Topic: m.Topic.Name, Table: r.Profile.table(&m.Part), Subject: subject, SchemaID: id, LaterID: later, Content: spec,
	})
	return nil
}

// aim says where the messages of a stream go.
func (r *run) aim(i int, m *MixPart, partitions int) {
	to := target{topic: m.Topic.Name, partitions: int32(partitions)}
	for _, name := range sortedHeaders(m.Headers) {
		to.headers = append(to.headers, kgo.RecordHeader{Key: name, Value: []byte(m.Headers[name])})
	}
	r.targets[i] = to
	r.partitions += partitions
}

// run is one execution.
type run struct {
	*session
	Options
	senders    []*sender
	partitions int
	manifest   *Manifest
	cpu        time.Duration // used before the schedule began
	earlier    int64         // messages before the schedule began: the warm-up, and those of a run that is taken up again
	earlierOK  int64         // of them acknowledged
	before     []tally       // of the streams, of a run that is taken up again, when its generator died
	began      time.Time     // of the schedule, wall clock
	progress   progress
	clock      *Clock         // nil: not compared
	clockWhy   string         // it could not be
	pauses     *pauses        // since the schedule began
	reader     *reader        // nil: nothing is read back
	readBack   *ReadBack      // at the end
	ended      time.Duration  // when all was settled
	helpers    sync.WaitGroup // goroutines beside the senders
	hookLock   sync.Mutex
	hooked     []HookResult
}

func newRun(o Options, mix *content.Mix, mean int, client *kgo.Client) (*run, error) {
	p := o.Profile
	curve, err := p.Curve(time.Now())
	if err != nil {
		return nil, err
	}
	if p.Volume.Until.Rows > 0 && o.Holds == nil {
		return nil, errors.New("volume.until: the table cannot be asked here")
	}
	shards := o.Senders
	if shards == 0 {
		shards = sendersFor(curve, p.Rate.bytes())
	}
	txn := p.Producer.Transaction
	if txn.on() || o.Shard.Of > 0 { // a client has one transaction at a time; a shard is one sender, wherever it runs
		shards = 1
	}
	if txn.on() && o.Shard.Of > 0 {
		return nil, cli.Usage(errors.New("--shard: a run with producer.transaction has one sender"), "")
	}
	s, senders := newSession(shards, o.Shard, mix, mean)
	s.startAt = o.Shard.StartAt
	r := &run{session: s, Options: o, senders: senders}
	s.run, s.client, s.curve = o.Run, client, curve
	s.shuffles, s.unmarked = mix.Shuffles(), p.Verify.Identity == "none"
	s.schedule, s.flat, s.drops, s.window = newSchedule(curve), p.Rate.flat(), p.OnSaturation == "drop", int64(p.inFlight())
	s.warmup, s.told = time.Duration(p.Warmup), stagesOf(curve)
	s.rec.setStages(len(s.told))
	for _, snd := range senders {
		snd.stages = make([]span, len(s.told))
	}
	s.bound = bound{uint64(p.Volume.Messages), int64(p.Volume.Bytes) / int64(s.processes()), time.Duration(p.Volume.Duration)}
	if txn.on() {
		s.txn = &transactions{TransactionSpec: txn, seed: p.seed(), client: client, rec: s.rec}
	}
	s.pace = pacer{start: time.Now(), nap: o.nap}
	if s.pace.nap == nil {
		s.pace.nap = kernelNap
	}
	r.manifest = &Manifest{
		Version: manifestVersion, Run: s.run.String(), State: Running, Started: time.Now().UTC(),
		Profile: p.Name, Unmarked: s.unmarked, Seed: p.seed(), Thresholds: p.Thresholds, Drain: p.Drain(),
		Shards: make([]ShardRecord, shards), Transaction: txn, Shard: o.Shard, Dir: p.dir,
	}
	if effective, err := p.Effective(); err == nil {
		r.manifest.Effective = string(effective)
	} else {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	if o.from != nil {
		s.resumed, r.manifest = true, o.from.again()
	}
	r.watchLimits()
	return r, nil
}

// sendersFor: one goroutine makes and hands over some 300,000 messages/s.
func sendersFor(c Curve, bytes bool) int {
	most := min(4, runtime.GOMAXPROCS(0))
	if s, ok := c.(Planned); ok && !bytes {
		return min(most, 1+int(s.Peak()/150_000))
	}
	return most
}

// giveUp is how long the end of a run waits for acknowledgements: the delivery timeout and a little, or after a stop less.
const giveUp = 10 * time.Second

// errNoAnswer ends a run whose broker acknowledges nothing any more.
var errNoAnswer = errors.New("the broker acknowledges nothing")

func (r *run) do(ctx context.Context) (Summary, error) {
	r.hard, r.abort = context.WithCancel(context.WithoutCancel(ctx))
	defer r.abort()
	if err := os.MkdirAll(filepath.Join(r.Home, "load"), 0o755); err != nil {
		return Summary{}, fmt.Errorf("manifest: %w", err)
	}
	if err := r.writeManifest(Running); err != nil {
		return Summary{}, err
	}
	err := r.prelude(ctx)
	if err == nil {
		err = r.startBulk(ctx)
	}
	if err == nil {
		err = r.begin(ctx)
	}
	if err != nil {
		r.abort()
		r.close()
		return Summary{}, errors.Join(err, r.writeManifest(Interrupted))
	}
	r.began, r.cpu, r.pauses = r.pace.start, cpuTime(), newPauses()
	r.reader.begin(ctx)
	r.earlier, r.earlierOK = r.handed(), r.rec.outcomesOK()
	r.progress.start(r)

	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	r.Live.attach(r, stop)
	defer r.Live.detach()
	side, sideDone := context.WithCancel(context.WithoutCancel(ctx))
	helpers := &r.helpers
	helpers.Go(func() { r.keepManifest(side, stop) })
	helpers.Go(func() { r.watch(side, stop) })
	helpers.Go(func() { r.report(side, stop) })
	chaos, calm := context.WithCancel(side)
	defer calm()
	if err := r.hooks(chaos); err != nil {
		stop(err)
	}
	if r.Profile.Volume.Until.Rows > 0 {
		helpers.Go(func() { r.until(side, stop) })
	}

	sent := make(chan struct{})
	release := context.AfterFunc(sending, func() { // frees senders that wait for the window of a dead broker
		select {
		case <-sent:
		case <-time.After(giveUp):
			r.abort()
		}
	})
	defer release()
	var senders sync.WaitGroup
	for _, s := range r.senders {
		s.at = r.arrivals(s)
		s.position.Store(math.Float64bits(s.at.x))
		senders.Go(func() { s.do(sending) })
	}
	senders.Wait()
	calm()
	_ = r.senders[0].failed(r.txn.end(r.hard))
	cause := context.Cause(sending)
	close(sent)
	r.progress.state.Store(Draining)
	r.drain(ctx, cause)
	r.abort()
	r.close()
	r.settle()
	r.ended = r.pace.now()
	r.readBack = r.reader.end()
	sideDone()
	helpers.Wait()
	return r.finish(ctx, cause)
}

// prelude is what is sent before the schedule: the warm-up, or what a generator that died has left out. The manifest then knows
// that the schedule begins.
func (r *run) prelude(ctx context.Context) error {
	if r.from != nil {
		if err := r.fill(ctx); err != nil {
			return err
		}
	} else if err := r.warmUp(ctx, r.senders, r.partitions); err != nil {
		return err
	}
	r.manifest.Warmup = r.warm
	if r.manifest.Begun.IsZero() {
		r.manifest.Begun = newer(time.Now().UTC(), r.startAt)
	}
	return r.writeManifest(Running)
}

// arrivals are those of a sender, from its next message on.
func (r *run) arrivals(s *sender) arrivals {
	if r.from != nil {
		return r.arrivalsAgain(s)
	}
	_, m := s.first()
	return newArrivals(&r.Profile.Rate, r.Profile.seed(), s.id, int(r.shards), float64((m-r.warm)*r.processes())+float64(r.Shard.Index))
}

// drain waits for the outcome of what was sent; once ctx has ended, or the sending was stopped, a while at most.
func (r *run) drain(ctx context.Context, cause error) {
	wait := r.Profile.deliveryTimeout() + giveUp
	if cause != nil && !errors.Is(cause, errEnough) {
		wait = giveUp
	}
	flushing, cancel := context.WithTimeout(r.hard, wait)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(giveUp, cancel) })()
	if err := r.flush(flushing); err != nil {
		r.Log.Warn("messages without an outcome", "run", r.manifest.Run, "messages", r.underWay())
	}
}

// settle waits until the closed client has told the outcome of every message.
func (r *run) settle() {
	for range 200 {
		if r.rec.outcomes() >= r.handed() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// processes is how many programs send the run.
func (s *session) processes() uint64 { return s.shards / s.lanes }

// handed counts the messages that the client has been given.
func (r *run) handed() (n int64) {
	for _, s := range r.senders {
		n += int64(s.next.Load())
	}
	return n
}

// watch stops a run whose broker has acknowledged nothing for longer than a message may take.
func (r *run) watch(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	seen, since := int64(-1), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := r.rec.outcomes(); n != seen || r.underWay() == 0 {
			seen, since = n, time.Now()
		} else if time.Since(since) > r.Profile.deliveryTimeout() {
			stop(fmt.Errorf("%w for %v", errNoAnswer, r.Profile.deliveryTimeout()))
			return
		}
	}
}

// errEnough ends a run whose table holds what the profile wants.
var errEnough = errors.New("the table holds the rows")

// until asks the table until it holds enough. A table that cannot be asked for a while is asked again.
func (r *run) until(ctx context.Context, stop context.CancelCauseFunc) {
	u := r.Profile.Volume.Until
	every := 2 * time.Second
	if u.Every > 0 {
		every = time.Duration(u.Every)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		rows, err := r.Holds(ctx)
		if err != nil {
			r.Log.Warn("the table was not asked", "run", r.manifest.Run, "error", err)
		} else if rows >= int64(u.Rows) {
			stop(errEnough)
			return
		}
	}
}

// manifestEvery is the rhythm of the manifest. A reservation covers several writes, so that a slow disk does not stop a sender.
const manifestEvery = time.Second

func (r *run) keepManifest(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(manifestEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.needMan:
		}
		if err := r.writeManifest(Running); err != nil {
			stop(err)
			return
		}
	}
}

// reservation is how many messages of a shard may be sent before the next write: the warm-up, and ten seconds at the curve's peak.
func (r *run) reservation() uint64 {
	warm := mostWarm(r.partitions)
	if s, ok := r.curve.(Planned); ok && !r.Profile.Rate.bytes() {
		return warm + uint64(math.Ceil(10*s.Peak()))/r.shards
	}
	return warm + 20_000_000/r.shards
}

func (r *run) writeManifest(state string) error {
	m := r.manifest
	m.State, m.Written = state, time.Now().UTC()
	// The ends first: what lies behind them is read again if this generator dies, and may be acknowledged already.
	for i := range m.Streams {
		m.Streams[i].Ends, m.Streams[i].Tops = r.rec.positions(i), r.rec.lastOf(i)
	}
	if now := r.pace.now(); !r.began.IsZero() {
		m.OnCurve, m.Elapsed = r.schedule.on(now), now
		if r.from != nil {
			m.Elapsed += r.from.Elapsed
		}
		_, _, m.Interactive, _ = r.Live.state(now)
	}
	// Then the acknowledgements, then what was sent: nothing is acknowledged that is not counted.
	for i := range r.senders {
		r.rec.describe(i, &m.Shards[i])
	}
	tallies, below := r.tallies()
	for i := range m.Streams {
		m.Streams[i].Faults, m.Streams[i].Messages, m.Streams[i].Bytes = tallies[i].faults, tallies[i].messages, tallies[i].bytes
	}
	for i, s := range r.senders {
		rec := &m.Shards[i]
		rec.Sent, rec.Position = below[i], math.Float64frombits(s.position.Load())
		if rec.Reserved = max(below[i], s.next.Load()); state == Running {
			rec.Reserved += r.reservation()
		}
	}
	if err := m.write(r.Home); err != nil {
		return err
	}
	for i, s := range r.senders {
		s.limit.Store(m.Shards[i].Reserved)
		select {
		case s.granted <- struct{}{}:
		default:
		}
	}
	return nil
}

// finish makes the summary and the last manifest.
func (r *run) finish(ctx context.Context, cause error) (Summary, error) {
	r.rec.rotate()
	r.progress.series.take(r, r.sample())
	sum := r.summary(cause)
	state := Ended
	why := ""
	switch {
	case ctx.Err() == nil:
	case errors.Is(cause, context.Cause(ctx)):
		why = "stopped before the schedule's end"
	case sum.Errors > 0:
		why = "stopped before all messages had an outcome"
	}
	if why != "" {
		state = Interrupted
		sum.Verdict, sum.Reason = VerdictInterrupted, why
	}
	r.manifest.Ended, r.manifest.Result = time.Now().UTC(), &sum
	if r.Shard.Of > 0 {
		r.manifest.Histograms = r.histograms()
	}
	err := r.writeManifest(state)
	r.progress.last(r, sum)
	if r.Keep != nil {
		r.Keep(r.record(sum))
	}
	return sum, err
}
