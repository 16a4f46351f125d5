// Program notify tells business units what became of their jobs: once, in their words, where they read.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/notify"
	"weir/internal/project"
)

func main() { os.Exit(cli.Main("notify", newCommand)) }

// program is what the verbs share.
type program struct {
	*cli.App
	unitsFile string
}

func newCommand(app *cli.App) *cobra.Command {
	p := &program{App: app}
	root := &cobra.Command{
		Use:   "notify",
		Short: "Tell business units what became of their jobs, once",
		Long: `notify takes what became of jobs (ready, failed, recovered, …) and tells the business units that live off them: in Slack, by
mail, over SNS, to any webhook, in a file. What it has accepted is on the disk; a crash, a refused call or a time-out neither loses nor
doubles a message.

To tell that a job has failed:   notify emit --job daily_totals --unit FIN --date 2026-11-20 --state failed --cause "no input"

Who is told what stands in units.yaml; without that file everything goes to HOME/notifications.txt and to stderr.
Exit codes: 0 good, 1 failed, 2 wrong usage or configuration, 130 interrupted.`,
	}
	root.PersistentFlags().StringVar(&p.unitsFile, "units", "units.yaml", "who is told what")
	root.AddCommand(emitCommand(p), serveCommand(p), outboxCommand(p), deadCommand(p), silenceCommand(p), expectCommand(p), explainCommand(p), checkCommand(p), testCommand(p), doctorCommand(p), previewCommand(p))
	return root
}

// units reads units.yaml. The default file may be missing, one that was named may not.
func (p *program) units(c *cobra.Command) (notify.Units, error) {
	if c.Flags().Changed("units") {
		if _, err := os.Stat(p.unitsFile); err != nil {
			return notify.Units{}, cli.Usage(err, "name a file that exists with --units, or leave it away")
		}
	}
	return notify.LoadUnits(p.unitsFile)
}

// service opens the outbox.
func (p *program) service(c *cobra.Command) (*notify.Service, error) {
	u, err := p.units(c)
	if err != nil {
		return nil, err
	}
	pr, err := project.Open(".", p.Home)
	if err != nil {
		return nil, err
	}
	return notify.Open(c.Context(), pr.Outbox(), u, notify.Options{
		Home: p.Home, Stdout: p.Stderr, Stderr: p.Stderr, Getenv: p.Getenv, Log: p.Log, // stdout is for the verb's result
	})
}

// with opens the outbox for one verb.
func (p *program) with(c *cobra.Command, do func(ctx context.Context, s *notify.Service) error) (err error) {
	s, err := p.service(c)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close outbox: %w", cerr)
		}
	}()
	return do(c.Context(), s)
}
