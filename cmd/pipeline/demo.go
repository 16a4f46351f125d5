package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/show"
	"weir/tui"
	"weir/tui/plain"
)

func demoCommand(app *cli.App) *cobra.Command {
	var count string
	c := &cobra.Command{
		Use:   "demo",
		Short: "the whole product on this machine: load, tables, report, message, proof",
		Long: `demo makes an installation below the home, starts the embedded broker and registry, puts a load of bank transactions on a topic,
streams them into a table, makes a report table, tells the business unit, and proves from the table that nothing was lost,
doubled or altered. On a terminal it shows the screens, elsewhere plain lines. It takes about half a minute.

    pipeline demo
    pipeline demo --count 100k --plain

With --json the last line is {sent, committed, quarantined, lost, doubled, altered, report_rows, notified, readable_p99_ms,
seconds, rss_mb}. Exit code 1 if the proof fails.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var n config.Count
			if err := n.UnmarshalText([]byte(count)); err != nil || n < 1 {
				return cli.Usage(fmt.Errorf("--count: %q is no number of messages; write 50000 or 1M", count), "")
			}
			return runDemo(c.Context(), app, n)
		},
	}
	c.Flags().StringVar(&count, "count", "1M", "messages, such as 50000 or 1M")
	return c
}

func runDemo(ctx context.Context, app *cli.App, count config.Count) (err error) {
	if app.Getenv("GOMEMLIMIT") == "" {
		// Broker, generator, stream, SQL engine and proof share this process; without a limit the heap doubles before it is swept.
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(200 << 20))
	}
	dir, err := demoDir(app.Home)
	if err != nil {
		return err
	}
	app.Home = filepath.Join(dir, ".weir")
	if _, err := writeTemplates(dir, false); err != nil {
		return err
	}
	s, err := openSite(ctx, app, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.hub.Update(func(sn *control.Snapshot) { sn.Home = "demo" })
	live := load.NewLive()
	if err := s.background(ctx, show.Steering(live)); err != nil {
		return err
	}
	d := &demo{site: s, count: count, began: time.Now(), live: live}
	failed := make(chan error, 1)
	go func() { failed <- d.do(ctx) }()
	screens := make(chan error, 1)
	go func() { screens <- d.watch(ctx) }()
	err = <-failed
	if err != nil {
		s.hub.Update(func(sn *control.Snapshot) { sn.Done = true })
	}
	if werr := <-screens; werr != nil && err == nil && !errors.Is(werr, context.Canceled) {
		err = werr
	}
	if err != nil {
		return err
	}
	if err := app.Result(d.result, d.text(dir)); err != nil {
		return err
	}
	if !d.result.good() {
		return &cli.Error{Err: errors.New("the proof failed"), Hint: "`loadgen verify last --home " + app.Home + "` names the messages"}
	}
	return nil
}

// demoDir makes a directory for this demo and removes those of earlier ones, except where one still runs.
func demoDir(home string) (string, error) {
	base, err := filepath.Abs(filepath.Join(home, "demo"))
	if err != nil {
		return "", err
	}
	old, err := os.ReadDir(base)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", cli.Usage(fmt.Errorf("home %s: %w", home, err), "choose another with --home DIR")
	}
	for _, e := range old {
		if _, err := ulid.Parse(e.Name()); err != nil {
			continue // not ours
		}
		p := &project.Project{Home: filepath.Join(base, e.Name(), ".weir")}
		if _, alive := p.Announced(); !alive {
			if err := os.RemoveAll(filepath.Join(base, e.Name())); err != nil {
				return "", err
			}
		}
	}
	dir := filepath.Join(base, ulid.Make().String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", cli.Usage(fmt.Errorf("home %s is not writable: %w", home, err), "choose another with --home DIR or WEIR_HOME")
	}
	return dir, nil
}

// watch shows the demo until it is done: on screens, or in lines.
func (d *demo) watch(ctx context.Context) error {
	client := control.Dial(d.project.Socket())
	defer client.Close()
	if d.app.Interactive() {
		d.echo.set(true)
		err := tui.Run(ctx, client, d.app.Stdin, d.app.Stdout, tui.Options{
			QuitWhenDone: true, Getenv: d.app.Getenv, Detached: "the demo goes on in plain lines; ctrl+c ends it",
		})
		d.echo.set(false)
		if err != nil || d.hub.Snapshot().Done {
			return err
		}
	}
	return plain.Follow(ctx, client, d.app.Stderr, 2*time.Second)
}

// text is what the demo leaves on the terminal.
func (d *demo) text(dir string) string {
	var b strings.Builder
	r := d.result
	fmt.Fprintf(&b, "\n%s\n\n", strings.Repeat("─", 78))
	if d.message != "" {
		fmt.Fprintf(&b, "What the business unit received:\n\n%s\n", indent(d.message))
	}
	verdict := "✔"
	if !r.good() {
		verdict = "✖"
	}
	fmt.Fprintf(&b, "%s  sent %s  committed %s  quarantined %d\n", verdict, thousands(r.Sent), thousands(r.Committed), r.Quarantined)
	fmt.Fprintf(&b, "%s  lost %d  doubled %d  altered %d      proved from the table, row by row\n", verdict, r.Lost, r.Doubled, r.Altered)
	fmt.Fprintf(&b, "   p99 from the intended time to the readable row  %.0f ms   (commits each second)\n", r.ReadableP99)
	fmt.Fprintf(&b, "   report rows %d   messages to units %d   %.1f s   %.0f MB resident at most\n", r.ReportRows, r.Notified, r.Seconds, r.RSS)
	fmt.Fprintf(&b, "\nThe installation stays in %s:\n    cd %s\n    pipeline sql \"select country, sum(amount) from bank.transactions group by 1 order by 2 desc\"\n", dir, dir)
	return b.String()
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ") + "\n"
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
