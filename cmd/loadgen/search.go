package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/project"
	"weir/internal/search"
)

type searchOptions struct {
	servers
	slo, from, to, precision, resume string
	topic, size                      string
	sets                             []string
	repeats                          int
	trial, warmup, settle, drain     time.Duration
	maxTime                          time.Duration
}

func newSearch(app *cli.App) *cobra.Command {
	var o searchOptions
	c := &cobra.Command{
		Use: "search [PROFILE]", Short: "Find the highest rate at which the service levels are kept", Args: cobra.MaximumNArgs(1),
		Long: `Find the highest rate at which the service levels are kept: runs of a profile at constant rates, doubled until one is not kept, then
halved between. The rates at the edge are repeated, the majority counts; nearby rates below and above are checked. Each trial warms
up first, and the next one begins when everything of the one before has arrived. A trial that cannot keep the limits any more is ended.

--slo names the limits, with commas between them; all must be kept:
  p50 p90 p99 p99.9 max        response, from the intended send to the acknowledgement: p99<100ms
  service_p50 … service_max    from the real send to the acknowledgement
  errors                       share that was not acknowledged: errors<=0.1%; without it, none may fail
  freshness                    99th percentile until the row can be read in the table; also freshness_p50, freshness_max: freshness<30s
  lag                          from the end of the load to the last row in the table, to about a second: lag<10s
  lost, duplicated             messages: lost=0
Those from freshness on are proven from the table after each trial; a pipeline has to fill it meanwhile.

What is known is kept in HOME/load: an interrupted search goes on with --resume last. A machine that cannot send what a rate
asks for measures itself: then the result is "at least", never a capacity.

Exit codes: 0 capacity found, or kept up to --to; 1 failed, 2 wrong usage, 3 not kept even at --from, 5 the same because messages were
lost or doubled, 6 the generator is the limit, or --max-time is used up, 130 interrupted.`,
		Example: `  loadgen search ci --slo 'p99<100ms'
  loadgen search average-load --slo 'p99<100ms, freshness<30s, lost=0' --from 5k/s --to 100k/s --trial 1m
  loadgen search --resume last --max-time 1h`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, c.Flags(), args) },
	}
	f := c.Flags()
	f.StringVar(&o.slo, "slo", "", "limits that have to be kept, as 'p99<100ms, freshness<30s, lost=0'")
	f.StringVar(&o.from, "from", "1k/s", "the first and lowest rate, as 500/s or 1MiB/s")
	f.StringVar(&o.to, "to", "", "the highest rate (default: a thousand times the first)")
	f.StringVar(&o.precision, "precision", "5%", "of the capacity")
	f.IntVar(&o.repeats, "repeats", 3, "trials of the rates that decide, the majority counts")
	f.DurationVar(&o.trial, "trial", 30*time.Second, "length of a trial, after its warm-up")
	f.DurationVar(&o.warmup, "warmup", 5*time.Second, "at the start of each trial: sent, but not timed")
	f.DurationVar(&o.settle, "settle", time.Second, "pause after each trial")
	f.DurationVar(&o.drain, "drain", 0, "how long the table may take for the last rows (default: the profile's drain_timeout, at least 1m)")
	f.DurationVar(&o.maxTime, "max-time", 30*time.Minute, "no trial begins that would end later")
	f.StringVar(&o.resume, "resume", "", "id of an interrupted search, or last: goes on where it was")
	f.StringVar(&o.topic, "topic", "", "topic, in place of the profile's")
	f.StringVar(&o.size, "size", "", "constant size of a value in bytes, as 1KiB")
	setFlag(f, &o.sets)
	o.servers.flags(f)
	return c
}

func (o *searchOptions) run(ctx context.Context, app *cli.App, given *pflag.FlagSet, args []string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	var s *searching
	if o.resume != "" {
		s, err = o.reopen(pr, given, args)
	} else {
		s, err = o.begin(pr, args)
	}
	if err != nil {
		return err
	}
	t := trials{app: app, project: pr, state: s}
	if s.Result == nil {
		if err := t.open(ctx); err != nil {
			return err
		}
		defer t.close()
		if err := t.all(ctx); err != nil {
			return err
		}
	}
	return tellSearch(app, s)
}

// begin makes a new search of the flags.
func (o *searchOptions) begin(pr *project.Project, args []string) (*searching, error) {
	if len(args) == 0 || o.slo == "" {
		return nil, cli.Usage(errors.New("expected a profile and --slo, or --resume"), "`loadgen search --help` has examples")
	}
	slo, err := search.ParseSLO(o.slo)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--slo: %w", err), "as in --slo 'p99<100ms, freshness<30s, lost=0'")
	}
	from, err := flagRate("--from", o.from)
	if err != nil {
		return nil, err
	}
	to := config.Rate{PerSecond: 1000 * from.PerSecond, Bytes: from.Bytes}
	if o.to != "" {
		if to, err = flagRate("--to", o.to); err != nil {
			return nil, err
		}
	}
	if from.Bytes != to.Bytes {
		return nil, cli.Usage(errors.New("--from and --to: expected both in messages or both in bytes"), "")
	}
	var precision config.Percent
	if err := precision.UnmarshalText([]byte(o.precision)); err != nil {
		return nil, cli.Usage(fmt.Errorf("--precision: %w", err), "")
	}
	switch {
	case o.trial <= 0:
		return nil, cli.Usage(fmt.Errorf("--trial: expected more than 0s, got %v", o.trial), "")
	case o.warmup < 0 || o.settle < 0 || o.drain < 0:
		return nil, cli.Usage(errors.New("--warmup, --settle, --drain: expected 0s or more"), "")
	}
	s := &searching{
		Profile: args[0], SLO: slo, Bytes: from.Bytes, Topic: o.topic, Size: o.size, Set: o.sets, Brokers: o.brokers, Registry: o.registry,
		Warmup: o.warmup, Length: o.trial, Settle: o.settle, Drain: o.drain,
		Config: search.Config{
			From: from.PerSecond, To: to.PerSecond, Precision: float64(precision), Repeats: o.repeats,
			MaxTrials: mostTrials, MaxTime: o.maxTime, Trial: o.warmup + o.trial + o.settle,
		},
	}
	if why := s.Config.Invalid(); why != "" {
		return nil, cli.Usage(errors.New("--"+strings.Replace(why, "max time", "max-time", 1)), "")
	}
	p, err := s.read(pr, from)
	if err != nil {
		return nil, err
	}
	if s.Drain == 0 {
		s.Drain = max(p.Drain(), time.Minute)
	}
	return s, s.start(pr, p)
}

// mostTrials bounds a search whose trials are short.
const mostTrials = 100

// reopen goes on with a search; only what bounds it may be changed.
func (o *searchOptions) reopen(pr *project.Project, given *pflag.FlagSet, args []string) (*searching, error) {
	var other string
	given.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "resume", "max-time", "brokers", "registry", "home", "json", "plain", "log-level":
		default:
			other = "--" + f.Name
		}
	})
	if len(args) > 0 {
		other = args[0]
	}
	if other != "" {
		return nil, cli.Usage(fmt.Errorf("--resume: the search knows what it looks for: expected nothing but --max-time, --brokers and --registry beside it, got %s", other), "leave --resume out for a new search")
	}
	s, err := readSearch(pr.Home, o.resume)
	if err != nil {
		return nil, err
	}
	if given.Changed("max-time") && o.maxTime != s.Config.MaxTime {
		s.Config.MaxTime = o.maxTime
		if s.Result != nil && s.Result.Verdict == search.Inconclusive {
			s.Result = nil
		}
	}
	if why := s.Config.Invalid(); why != "" {
		return nil, cli.Usage(errors.New("--"+strings.Replace(why, "max time", "max-time", 1)), "")
	}
	if o.brokers != "" {
		s.Brokers = o.brokers
	}
	if o.registry != "" {
		s.Registry = o.registry
	}
	return s, s.unchanged(pr)
}

func flagRate(flag, text string) (config.Rate, error) {
	var r config.Rate
	if err := r.UnmarshalText([]byte(text)); err != nil {
		return r, cli.Usage(fmt.Errorf("%s: %w", flag, err), "")
	}
	if r.Max || r.PerSecond <= 0 {
		return r, cli.Usage(fmt.Errorf("%s: expected a rate above 0 such as 500/s, got %q", flag, text), "")
	}
	return r, nil
}

// tellSearch prints the result and decides the exit code.
func tellSearch(app *cli.App, s *searching) error {
	out := struct {
		Search  string     `json:"search"`
		Profile string     `json:"profile"`
		SLO     search.SLO `json:"slo"`
		Unit    string     `json:"unit"`
		search.Result
	}{s.ID, s.Profile, s.SLO, s.unit(), *s.Result}
	if err := app.Result(out, searchText(s)); err != nil {
		return err
	}
	code := map[search.Verdict]int{search.None: exitSLO, search.Generator: exitInvalid, search.Inconclusive: exitInvalid}[s.Result.Verdict]
	if code == 0 {
		return nil
	}
	e := &cli.Error{Err: fmt.Errorf("search %s: %s", s.ID, s.headline()), Exit: code}
	switch s.Result.Verdict {
	case search.None:
		e.Hint = "begin lower with --from"
		if s.broken("lost") || s.broken("duplicated") {
			e.Hint, e.Exit = "`loadgen verify` names the messages of a trial's run", exitIntegrity
		}
	case search.Generator:
		e.Hint = "send from a stronger or less busy machine"
	default:
		e.Hint = fmt.Sprintf("`loadgen search --resume %s --max-time %v` goes on", s.ID, 2*s.Config.MaxTime)
	}
	return e
}

// broken reports that the trials at the lowest rate broke a limit on messages.
func (s *searching) broken(metric string) bool {
	for _, t := range s.Result.Trials {
		for _, l := range s.SLO.Limits {
			if t.Rate == s.Config.From && l.Metric == metric && t.Values[metric] > l.Max {
				return true
			}
		}
	}
	return false
}

// headline is the result in one line.
func (s *searching) headline() string {
	r := s.Result
	kept := "no rate was kept"
	if r.HighestKept > 0 {
		kept = s.rate(r.HighestKept) + " was kept"
	}
	switch r.Verdict {
	case search.Found:
		text := fmt.Sprintf("capacity %s; %s was not kept", s.rate(r.Capacity), s.rate(r.LowestNotKept))
		if r.HighestKept > r.Capacity {
			text += fmt.Sprintf(", but %s was", s.rate(r.HighestKept))
		}
		return text
	case search.AtLeast:
		return fmt.Sprintf("at least %s: nothing failed up to --to", s.rate(r.HighestKept))
	case search.Generator:
		if r.HighestKept > 0 {
			kept = "at least " + s.rate(r.HighestKept)
		}
		return kept + ": the generator is the limit"
	case search.None:
		return fmt.Sprintf("below %s: not kept at the lowest rate (%s)", s.rate(s.Config.From), s.reasonAt(s.Config.From))
	}
	if r.LowestNotKept > 0 {
		kept += fmt.Sprintf(", %s was not", s.rate(r.LowestNotKept))
	}
	return "inconclusive: " + kept
}

func (s *searching) reasonAt(rate float64) (reason string) {
	for _, t := range s.Result.Trials {
		if t.Rate == rate && t.Outcome == search.NotKept {
			reason = t.Reason
		}
	}
	return reason
}

func (s *searching) unit() string {
	if s.Bytes {
		return "bytes/s"
	}
	return "messages/s"
}

func (s *searching) rate(v float64) string {
	switch {
	case s.Bytes:
		return volume(v) + "/s"
	case v < 1000 && v != float64(int64(v)):
		return fmt.Sprintf("%.4g/s", v)
	}
	return count(v) + "/s"
}

func searchText(s *searching) string {
	var b strings.Builder
	r := s.Result
	fmt.Fprintf(&b, "search %s: %s, %s\n", s.ID, s.Profile, s.SLO)
	for i, t := range r.Trials {
		fmt.Fprintf(&b, "  %s\n", s.trialLine(i, t))
	}
	fmt.Fprintf(&b, "  confidence %s", r.Confidence)
	if len(r.Reasons) > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(r.Reasons, "; "))
	}
	fmt.Fprintf(&b, "\n  %s   (%d trials, %s)\n", s.headline(), len(r.Trials), short(r.Spent))
	return b.String()
}

// trialLine is a trial in one line.
func (s *searching) trialLine(i int, t search.Trial) string {
	return fmt.Sprintf("trial %2d  %10s  %-8s  %s  (%s)", i+1, s.rate(t.Rate), t.Outcome, s.told(t), t.Phase)
}

// told is what a trial measured, or what it did not keep.
func (s *searching) told(t search.Trial) string {
	if t.Outcome != search.Kept {
		return t.Reason
	}
	var values []string
	for _, l := range s.SLO.Limits {
		values = append(values, l.Metric+" "+l.Write(t.Values[l.Metric]))
	}
	return strings.Join(values, ", ")
}
