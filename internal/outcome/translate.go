package outcome

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// FromOutcome gives the OpenLineage form of an outcome, with its secrets struck out.
func FromOutcome(o Outcome) RunEvent {
	o = o.Scrubbed()
	e := RunEvent{
		EventType: eventType(o), EventTime: o.When(),
		Run: RunRef{RunID: runUUID(o.RunID)}, Job: JobRef{Namespace: namespace, Name: o.Job},
		Producer: producer, SchemaURL: schema,
	}
	run, job := &e.Run.Facets, &e.Job.Facets
	run.set("weir", weirRun{base{producer, weirFacet}, o})
	if !o.Interval.Start.IsZero() {
		n := nominalTime{base: about("1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet"), Start: o.Interval.Start.Format(time.RFC3339Nano)}
		if !o.Interval.End.IsZero() {
			n.End = o.Interval.End.Format(time.RFC3339Nano)
		}
		run.set("nominalTime", n)
	}
	if o.Cause.Text != "" {
		run.set("errorMessage", errorMessage{base: about("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"), Message: o.Cause.Text, Language: "Go"})
	}
	if o.Unit != "" {
		job.set("ownership", ownership{about("1-0-1/OwnershipJobFacet.json#/$defs/OwnershipJobFacet"), []owner{{Name: o.Unit, Type: "unit"}}})
	}
	if o.Title != "" {
		job.set("documentation", documentation{about("1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet"), o.Title})
	}
	if o.Kind != "" {
		processing := "BATCH"
		if o.Kind == "ingest" {
			processing = "STREAMING"
		}
		job.set("jobType", jobType{about("2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"), processing, "WEIR", strings.ToUpper(o.Kind)})
	}
	for _, d := range o.Inputs {
		in := Input{Namespace: d.Namespace, Name: d.Name}
		if d.Rows != 0 {
			in.Input.set("inputStatistics", statistics{about("1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet"), &d.Rows})
		}
		e.Inputs = append(e.Inputs, in)
	}
	for _, d := range o.Outputs {
		out := Output{Namespace: d.Namespace, Name: d.Name}
		if d.Rows != 0 {
			out.Output.set("outputStatistics", statistics{about("1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet"), &d.Rows})
		}
		e.Outputs = append(e.Outputs, out)
	}
	return e
}

func eventType(o Outcome) string {
	switch {
	case o.State == Failed:
		return Fail
	case o.State == Cancelled:
		return Abort
	case o.State.Overdue():
		return Other
	case o.State.Terminal():
		return Complete
	case o.Revision > 0:
		return RunningE
	default:
		return Start
	}
}

// runUUID gives the UUID that OpenLineage asks for: a ULID is 128 bits as well, other ids are hashed.
func runUUID(id string) string {
	var b [16]byte
	if u, err := ulid.ParseStrict(id); err == nil {
		b = u
	} else if isUUID(id) {
		return id
	} else {
		sum := sha256.Sum256([]byte("weir run " + id))
		copy(b[:], sum[:])
		b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8: our own making
	}
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}
