package screen

import (
	"fmt"

	"weir/internal/control"
	"weir/tui/figure"
)

// behindLong is how many seconds a stream may be behind before a reason is looked for: a table gets its rows by the batch.
const behindLong = 15

// cause says why a stream is behind: the first that applies, from what stops it to what slows it down. Empty: it is not.
func cause(st *control.Stream) string {
	switch {
	case st.Error != "":
		return st.Error
	case st.WaitsFor == control.WaitsForBroker:
		return "waiting for the broker: it does not say where the topic ends; the figures are old"
	case st.WaitsFor == control.WaitsForCatalog:
		return "waiting for the catalog or the storage: a commit is not through yet"
	case st.State == control.Stopped || st.State == control.Failed || st.BehindSeconds <= behindLong:
		return ""
	case st.Hot != nil:
		return fmt.Sprintf("hot partition %d has %s of what is left and gets %s/s: more workers do not help; add partitions or split its keys",
			st.Hot.Partition, figure.Percent(st.Hot.Share), figure.Short(st.Hot.InPerSec))
	case st.Team != nil && st.Team.Verdict != "":
		return st.Team.Reason
	case st.Team != nil && len(st.Team.Workers) == 0:
		return "no worker reads it"
	case st.WaitsFor == control.WaitsForMemory:
		return fmt.Sprintf("waiting for memory: %s are read ahead, partitions wait for their turn", figure.Bytes(float64(st.HeldBytes)))
	case st.OutPerSec == 0:
		return "nothing is committed at the moment"
	case st.InPerSec >= st.OutPerSec:
		return fmt.Sprintf("more comes than goes: +%s/s", figure.Short(st.InPerSec-st.OutPerSec))
	}
	return ""
}

// left is what is not in the table, in seconds, messages and bytes.
func left(st *control.Stream) string {
	text := atLeast(st.BehindSeconds, st.AtLeast) + ", " + figure.Count(st.BehindRecords) + " records"
	if st.BehindBytes > 0 {
		text += ", " + figure.Bytes(float64(st.BehindBytes))
	}
	return text
}

func atLeast(seconds float64, least bool) string {
	if least {
		return ">" + figure.Seconds(seconds)
	}
	return figure.Seconds(seconds)
}

// prospect is where the delay is going, and what is done about it; empty for a stream that does not run.
func prospect(st *control.Stream) string {
	text := "nothing is left"
	switch {
	case st.State == control.Stopped || st.State == control.Failed || st.State == control.Done:
		return ""
	case st.BehindRecords == 0:
	case st.CatchUpSeconds > 0:
		text = "even in " + figure.Roughly(st.CatchUpSeconds) + " at these rates"
	default:
		text = "not even at these rates"
	}
	if st.Trend != "" {
		text += "   " + st.Trend + " over 15m"
	}
	if st.Team != nil {
		text += fmt.Sprintf("   workers %d, wanted %d", len(st.Team.Workers), st.Team.Wanted)
	}
	if st.Team == nil && st.HeldBytes > 0 {
		text += fmt.Sprintf("   held %s of %s", figure.Bytes(float64(st.HeldBytes)), figure.Bytes(float64(st.MemoryBytes)))
	}
	return text
}
