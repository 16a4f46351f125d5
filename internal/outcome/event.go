package outcome

import (
	"encoding/json"
	"fmt"
	"time"
)

// Where the things that our events name are defined. Ours are names, not addresses: weir has no web site to fetch a schema from.
const (
	producer  = "urn:weir"
	schema    = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	facets    = "https://openlineage.io/spec/facets/"
	weirFacet = "urn:weir:facet:1-0-0:WeirRunFacet#/$defs/WeirRunFacet"
	namespace = "weir"
)

// Event types of OpenLineage.
const (
	Start    = "START"
	RunningE = "RUNNING"
	Complete = "COMPLETE"
	Fail     = "FAIL"
	Abort    = "ABORT"
	Other    = "OTHER" // about a run, but no step of its life: it is late
)

// A RunEvent is an OpenLineage 2-0-2 run event. Facets that we do not know are kept as they are.
type RunEvent struct {
	EventType string    `json:"eventType,omitempty"`
	EventTime time.Time `json:"eventTime"`
	Run       RunRef    `json:"run"`
	Job       JobRef    `json:"job"`
	Inputs    []Input   `json:"inputs,omitempty"`
	Outputs   []Output  `json:"outputs,omitempty"`
	Producer  string    `json:"producer"`
	SchemaURL string    `json:"schemaURL"`
}

// Facets are JSON objects by name.
type Facets map[string]json.RawMessage

// A RunRef names the run; RunID is a UUID.
type RunRef struct {
	RunID  string `json:"runId"`
	Facets Facets `json:"facets,omitempty"`
}

// A JobRef names the job.
type JobRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Facets    Facets `json:"facets,omitempty"`
}

// An Input is a dataset that was read.
type Input struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Facets    Facets `json:"facets,omitempty"`
	Input     Facets `json:"inputFacets,omitempty"`
}

// An Output is a dataset that was written.
type Output struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Facets    Facets `json:"facets,omitempty"`
	Output    Facets `json:"outputFacets,omitempty"`
}

// base is what each facet must carry.
type base struct {
	Producer string `json:"_producer,omitempty"`
	Schema   string `json:"_schemaURL,omitempty"`
}

func about(name string) base {
	return base{Producer: producer, Schema: facets + name}
}

type nominalTime struct {
	base
	Start string `json:"nominalStartTime"`
	End   string `json:"nominalEndTime,omitempty"`
}

type errorMessage struct {
	base
	Message  string `json:"message"`
	Language string `json:"programmingLanguage"`
	Stack    string `json:"stackTrace,omitempty"`
}

type owner struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
}

type ownership struct {
	base
	Owners []owner `json:"owners"`
}

type documentation struct {
	base
	Description string `json:"description"`
}

type jobType struct {
	base
	Processing  string `json:"processingType"`
	Integration string `json:"integration"`
	Type        string `json:"jobType,omitempty"`
}

type statistics struct {
	base
	Rows *int64 `json:"rowCount,omitempty"`
}

// weirRun is our own run facet: what OpenLineage has no word for.
type weirRun struct {
	base
	Outcome
}

// set adds a facet; the values are our own structs, which always marshal.
func (f *Facets) set(name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("outcome: facet %s: %v", name, err))
	}
	if *f == nil {
		*f = Facets{}
	}
	(*f)[name] = b
}

// get reads a facet; a missing one, or one of another shape, is no error: other producers write what they like.
func (f Facets) get(name string, v any) bool {
	raw, ok := f[name]
	return ok && json.Unmarshal(raw, v) == nil
}

// Parse reads a run event of any producer.
func Parse(b []byte) (RunEvent, error) {
	var e RunEvent
	if err := json.Unmarshal(b, &e); err != nil {
		return RunEvent{}, fmt.Errorf("run event: %w", err)
	}
	switch {
	case e.Job.Name == "":
		return RunEvent{}, fmt.Errorf("run event: job.name is missing")
	case e.Run.RunID == "":
		return RunEvent{}, fmt.Errorf("run event: run.runId is missing")
	case e.EventTime.IsZero():
		return RunEvent{}, fmt.Errorf("run event: eventTime is missing")
	}
	return e, nil
}
