package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Submitted is something that EMR was asked to run: a job run, a step, or the step of a cluster of its own.
type Submitted struct {
	ID, In, Name, Token string
	State               string         // EMR's word
	Detail              string         // why
	Args                []string       // of spark-submit
	Request             map[string]any // as it came

	created time.Time
	stop    context.CancelFunc
	done    chan struct{}
}

// EMR is the part of Amazon EMR (AWS JSON 1.1) and EMR Serverless (REST JSON) that weir uses. What is submitted is handed to Run.
// Its Faults are those of the calls that start something.
type EMR struct {
	Faults
	// Run does what spark-submit would; an error fails the run, the end of its ctx cancels it. nil: everything waits for ever.
	Run func(ctx context.Context, args []string) error
	// Late hides what was submitted from those who look for it, for so long.
	Late time.Duration

	server *httptest.Server
	mu     sync.Mutex
	runs   []*Submitted
}

// NewEMR starts a server.
func NewEMR() *EMR {
	e := &EMR{}
	e.server = httptest.NewServer(e)
	return e
}

// URL is the endpoint.
func (e *EMR) URL() string { return e.server.URL }

// Close stops the server and what it runs.
func (e *EMR) Close() {
	e.mu.Lock()
	runs := slices.Clone(e.runs)
	e.mu.Unlock()
	for _, r := range runs {
		r.stop()
		<-r.done
	}
	e.server.CloseClientConnections()
	e.server.Close()
}

// Runs are what was submitted, in its order.
func (e *EMR) Runs() []Submitted {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Submitted, len(e.runs))
	for i, r := range e.runs {
		out[i] = *r
	}
	return out
}

func (e *EMR) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{}
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	target := r.Header.Get("X-Amz-Target")
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	starts := target == "ElasticMapReduce.AddJobFlowSteps" || target == "ElasticMapReduce.RunJobFlow" || r.Method == http.MethodPost && target == ""
	fault := None
	if starts {
		fault = e.draw()
	}
	switch fault {
	case TooMany:
		e.refuse(w, http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
		return
	case Refuse500:
		e.refuse(w, http.StatusInternalServerError, "InternalServerException", "oops")
		return
	case BadAuth:
		e.refuse(w, http.StatusForbidden, "AccessDeniedException", "User is not authorized to perform this")
		return
	case Cut:
		cut(w)
		return
	}
	var answer any
	switch {
	case target != "":
		answer = e.cluster(strings.TrimPrefix(target, "ElasticMapReduce."), body)
	case len(parts) >= 3 && parts[0] == "applications" && parts[2] == "jobruns":
		answer = e.serverless(r.Method, parts, body)
	}
	switch bad, refused := answer.(refusal); {
	case fault == Accept500:
		e.refuse(w, http.StatusInternalServerError, "InternalServerException", "oops")
	case fault == AcceptCut:
		cut(w)
	case answer == nil:
		e.refuse(w, http.StatusBadRequest, "UnknownOperationException", "unknown operation "+target+r.URL.Path)
	case refused:
		e.refuse(w, http.StatusBadRequest, bad.code, bad.text)
	default:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

type refusal struct{ code, text string }

func (e *EMR) refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": text})
}

// submit takes something, once for each token.
func (e *EMR) submit(in, prefix, name, token string, args []string, request map[string]any) *Submitted {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if token != "" && r.Token == token {
			return r
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Submitted{
		ID: fmt.Sprintf("%s%04d", prefix, len(e.runs)+1), In: in, Name: name, Token: token, State: "PENDING", Args: args, Request: request,
		created: time.Now(), stop: stop, done: make(chan struct{}),
	}
	if in == "" {
		r.In = fmt.Sprintf("j-%04d", len(e.runs)+1)
	}
	e.runs = append(e.runs, r)
	go e.run(ctx, r)
	return r
}

func (e *EMR) run(ctx context.Context, r *Submitted) {
	defer close(r.done)
	if e.Run == nil {
		<-ctx.Done()
		e.set(r, "CANCELLED", "cancelled by the user")
		return
	}
	e.set(r, "RUNNING", "")
	err := e.Run(ctx, r.Args)
	switch {
	case ctx.Err() != nil:
		e.set(r, "CANCELLED", "cancelled by the user")
	case err != nil:
		e.set(r, "FAILED", err.Error())
	default:
		e.set(r, "COMPLETED", "")
	}
}

func (e *EMR) set(r *Submitted, state, detail string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.State, r.Detail = state, detail
}

// shown are the runs that may be seen, the newest first.
func (e *EMR) shown(in string) []Submitted {
	all := slices.DeleteFunc(e.Runs(), func(r Submitted) bool { return r.In != in && in != "" || time.Since(r.created) < e.Late })
	slices.Reverse(all)
	return all
}

func (e *EMR) byID(in, id string) *Submitted {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if r.In == in && (r.ID == id || id == "") {
			return r
		}
	}
	return nil
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, len(list))
	for i := range list {
		out[i], _ = list[i].(string)
	}
	return out
}

func text(v any) string { s, _ := v.(string); return s }

func field(v any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

// cluster is EMR on EC2.
func (e *EMR) cluster(op string, in map[string]any) any {
	id := text(in["ClusterId"])
	switch op {
	case "AddJobFlowSteps":
		return map[string]any{"StepIds": []string{e.step(text(in["JobFlowId"]), field(in, "Steps", 0), in).ID}}
	case "RunJobFlow":
		return map[string]any{"JobFlowId": e.step("", field(in, "Steps", 0), in).In}
	case "ListClusters":
		var list []any
		for _, r := range e.shown("") {
			list = append(list, map[string]any{"Id": r.In, "Name": r.Name, "Status": clusterState(r)})
		}
		return map[string]any{"Clusters": list}
	case "DescribeCluster":
		r := e.byID(id, "")
		if r == nil {
			return refusal{"InvalidRequestException", "Cluster id '" + id + "' is not valid."}
		}
		return map[string]any{"Cluster": map[string]any{"Id": id, "Name": r.Name, "Status": clusterState(*r)}}
	case "ListSteps":
		list := []any{}
		for _, r := range e.shown(id) {
			list = append(list, map[string]any{"Id": r.ID, "Name": r.Name, "Status": stepState(r)})
		}
		return map[string]any{"Steps": list}
	case "DescribeStep":
		r := e.byID(id, text(in["StepId"]))
		if r == nil {
			return refusal{"InvalidRequestException", "Step id is not valid."}
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		return map[string]any{"Step": map[string]any{"Id": r.ID, "Name": r.Name, "Status": stepState(*r)}}
	case "CancelSteps":
		r := e.byID(id, text(field(in, "StepIds", 0)))
		if r == nil {
			return refusal{"InvalidRequestException", "Step id is not valid."}
		}
		r.stop()
		return map[string]any{"CancelStepsInfoList": []any{map[string]any{"StepId": r.ID, "Status": "SUBMITTED"}}}
	case "TerminateJobFlows":
		if r := e.byID(text(field(in, "JobFlowIds", 0)), ""); r != nil {
			r.stop()
		}
		return map[string]any{}
	}
	return nil
}

func (e *EMR) step(in string, step any, request map[string]any) *Submitted {
	args := texts(field(step, "HadoopJarStep", "Args"))
	if len(args) > 0 && args[0] == "spark-submit" {
		args = args[1:]
	}
	if len(args) > 1 && args[0] == "--deploy-mode" { // there is no YARN here
		args = args[2:]
	}
	return e.submit(in, "s-", text(field(step, "Name")), "", args, request)
}

func stepState(r Submitted) map[string]any {
	out := map[string]any{"State": r.State, "Timeline": map[string]any{"CreationDateTime": float64(r.created.UnixMilli()) / 1e3}}
	if r.State == "FAILED" {
		out["FailureDetails"] = map[string]any{"Reason": "Unknown Error.", "Message": r.Detail}
	}
	return out
}

func clusterState(r Submitted) map[string]any {
	states := map[string]string{"PENDING": "STARTING", "RUNNING": "RUNNING", "COMPLETED": "TERMINATED", "CANCELLED": "TERMINATED", "FAILED": "TERMINATED_WITH_ERRORS"}
	return map[string]any{"State": states[r.State], "StateChangeReason": map[string]any{"Message": r.Detail}}
}

// serverless is EMR Serverless: /applications/ID/jobruns[/ID].
func (e *EMR) serverless(method string, parts []string, in map[string]any) any {
	app := parts[1]
	switch {
	case method == http.MethodPost:
		spark := field(in, "jobDriver", "sparkSubmit")
		args := append(strings.Fields(text(field(spark, "sparkSubmitParameters"))), text(field(spark, "entryPoint")))
		r := e.submit(app, "00jr", text(in["name"]), text(in["clientToken"]), append(args, texts(field(spark, "entryPointArguments"))...), in)
		return map[string]any{"applicationId": app, "jobRunId": r.ID, "arn": "arn:aws:emr-serverless:eu-central-1:111122223333:/applications/" + app + "/jobruns/" + r.ID}
	case len(parts) == 3:
		list := []any{}
		for _, r := range e.shown(app) {
			list = append(list, jobRun(r))
		}
		return map[string]any{"jobRuns": list}
	}
	r := e.byID(app, parts[3])
	if r == nil {
		return refusal{"ResourceNotFoundException", "JobRun " + parts[3] + " doesn't exist"}
	}
	if method == http.MethodDelete {
		r.stop()
		return map[string]any{"applicationId": app, "jobRunId": r.ID}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return map[string]any{"jobRun": jobRun(*r)}
}

func jobRun(r Submitted) map[string]any {
	state := r.State
	if state == "COMPLETED" {
		state = "SUCCESS"
	}
	at := float64(r.created.UnixMilli()) / 1e3
	return map[string]any{"applicationId": r.In, "jobRunId": r.ID, "id": r.ID, "name": r.Name, "state": state, "stateDetails": r.Detail, "createdAt": at, "updatedAt": at}
}
