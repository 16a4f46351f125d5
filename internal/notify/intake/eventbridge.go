package intake

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"weir/internal/notify"
	"weir/internal/outcome"
)

// stateChange is an event of Amazon EventBridge about EMR; the fields that its kinds have are all here.
type stateChange struct {
	DetailType string    `json:"detail-type"`
	Source     string    `json:"source"`
	Time       time.Time `json:"time"`
	Detail     struct {
		Name    string `json:"name"` // of a step or a cluster
		Step    string `json:"stepId"`
		Cluster string `json:"clusterId"`
		Message string `json:"message"`
		State   string `json:"state"`

		JobRun      string `json:"jobRunId"` // EMR Serverless and EMR on EKS
		JobRunName  string `json:"jobRunName"`
		Application string `json:"applicationId"`
		Details     string `json:"stateDetails"`
		Attempt     int    `json:"attempt"`

		EKSRun     string `json:"id"`
		Virtual    string `json:"virtualClusterId"`
		FailReason string `json:"failureReason"`
	} `json:"detail"`
}

// dated finds the business date that a name ends with: "settlements_daily 2026-11-20". EMR's events have no other place for it.
var dated = regexp.MustCompile(`^(.+?)[ _./-]+(20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d)$`)

// emrStates says what EMR's words mean; a state that is not here tells nobody anything.
var emrStates = map[string]outcome.State{
	"RUNNING": outcome.Running, "COMPLETED": outcome.Ready, "SUCCESS": outcome.Ready,
	"FAILED": outcome.Failed, "TERMINATED_WITH_ERRORS": outcome.Failed,
	"CANCELLED": outcome.Cancelled, "INTERRUPTED": outcome.Cancelled,
}

func decodeEventBridge(body []byte) ([]notify.Arrival, error) {
	var e stateChange
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, malformed("EventBridge event: %w", err)
	}
	d := e.Detail
	o := outcome.Outcome{At: e.Time}
	name := d.Name
	switch {
	case e.Source != "aws.emr" && e.Source != "aws.emr-serverless" && e.Source != "aws.emr-containers":
		return nil, no(http.StatusUnprocessableEntity, "EventBridge event: unknown source %q; expected aws.emr, aws.emr-serverless or aws.emr-containers", e.Source)
	case strings.Contains(e.DetailType, "Step Status Change"):
		o.RunID, o.Namespace = d.Step, "emr/"+d.Cluster
	case e.DetailType == "EMR Cluster State Change":
		if d.State != "TERMINATED_WITH_ERRORS" { // a cluster is no job; that it breaks ends those that it runs
			return nil, nil
		}
		o.RunID, o.Namespace = d.Cluster, "emr"
	case strings.Contains(e.DetailType, "Job Run State Change"):
		o.RunID, o.Namespace, o.Attempt = cmp.Or(d.JobRun, d.EKSRun), "emr-serverless/"+d.Application, d.Attempt
		if e.Source == "aws.emr-containers" {
			o.Namespace = "emr-containers/" + d.Virtual
		}
		name = cmp.Or(d.JobRunName, d.Name)
	default:
		return nil, nil // of auto scaling, applications, configurations
	}
	state, told := emrStates[d.State]
	if !told {
		return nil, nil
	}
	o.State, o.Job = state, cmp.Or(name, o.RunID)
	if m := dated.FindStringSubmatch(name); m != nil {
		if day, err := time.Parse("20060102", strings.ReplaceAll(m[2], "-", "")); err == nil {
			o.Job, o.Interval = m[1], outcome.Interval{Start: day, End: day.AddDate(0, 0, 1)}
		}
	}
	if o.State.Terminal() {
		o.Ended = e.Time
	} else {
		o.Started = e.Time
	}
	if o.State == outcome.Failed {
		o.Cause = outcome.Cause{Code: "emr." + strings.ToLower(d.State), Text: cmp.Or(d.Details, d.FailReason, d.Message)}
	}
	switch err := o.Validate(); {
	case err != nil:
		return nil, malformed("EventBridge event: %w", err)
	case o.At.IsZero(): // without it the same event twice would be two
		return nil, malformed("EventBridge event: time is missing")
	}
	return []notify.Arrival{{Outcome: o}}, nil
}
