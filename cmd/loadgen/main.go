// Command loadgen puts a load on a Kafka topic and proves from the destination table what became of it.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"weir/internal/cli"
)

func main() { os.Exit(cli.Main("loadgen", newCommand)) }

// Exit codes of a verdict, beside those that all programs share.
const (
	exitSLO       = 3
	exitIntegrity = 5
	exitInvalid   = 6
)

const page = `Put a load on a Kafka topic and prove from the destination table what became of it.

  loadgen run demo                 run a profile that comes with loadgen
  loadgen run profiles/mine.yaml   run your own
  loadgen resume                   go on with a run whose generator was killed
  loadgen verify last              prove lost 0, doubled 0, reordered 0, altered 0
  loadgen report last --html F     plots, and JUnit, Markdown, OpenMetrics … for CI
  loadgen preview demo             what a run would do, with sample records; no server needed
  loadgen init --subject S         a profile for a schema of yours, to be changed
  loadgen check demo --connect     is everything there that a run needs?
  loadgen attach                   watch a run that goes on; loadgen tell faster 5% changes it
  loadgen capture orders --out F   keep the rhythm and the sizes of a topic, to play them again
  loadgen compare ci --baseline CMD --candidate CMD      is one build of a pipeline slower than the other?
  loadgen search ci --slo 'p99<100ms, lost=0'            how much can it take?

Broker and registry are those of weir.yaml, or of the running ` + "`pipeline`" + ` of the same --home.

Exit codes: 0 pass, 1 failed, 2 wrong usage or profile, 3 a threshold is broken, 4 regressed (compare),
5 the proof fails, 6 invalid (the generator did not keep its schedule) or inconclusive, 7 no baseline, 130 interrupted with results saved.`

func newCommand(app *cli.App) *cobra.Command {
	root := &cobra.Command{Use: "loadgen", Short: "Put a load on a Kafka topic and prove what became of it", Long: page}
	root.AddCommand(newRun(app), newResume(app), newVerify(app), newCheck(app), newPreview(app), newProfiles(app), newInit(app), newCompare(app), newCalibrate(app), newReport(app), newAttach(app), newTell(app), newCapture(app), newSearch(app), newMerge(app), newKubernetes(app), newHistory(app), newAccept(app), newBaseline(app))
	return root
}
