package emr

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/fake"
)

const (
	application = "00f1r2s3t4u5v6w7"
	role        = "arn:aws:iam::111122223333:role/weir"
)

// each runs a test against each of EMR's ways.
func each(t *testing.T, test func(t *testing.T, e *fake.EMR, c *Client)) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, w := range []struct {
		name, target string
		c            Config
	}{
		{"serverless", Serverless, Config{Serverless: ServerlessConfig{Application: application, Role: role}}},
		{"steps", Cluster, Config{Cluster: ClusterConfig{ID: "j-1A2B3C"}}},
		{"own cluster", Cluster, Config{Cluster: ClusterConfig{Release: "emr-7.12.0"}}},
	} {
		t.Run(w.name, func(t *testing.T) {
			e := fake.NewEMR()
			defer e.Close()
			w.c.Region, w.c.Endpoint, w.c.Staging = "eu-central-1", e.URL(), "s3://b/weir"
			c, err := Open(t.Context(), w.c, w.target)
			if err != nil {
				t.Fatal(err)
			}
			c.settle, c.every = 300*time.Millisecond, 5*time.Millisecond
			test(t, e, c)
		})
	}
}

var submission = Submission{
	Token: "01TOKEN", Name: "weir totals", Script: "s3://b/weir/driver.py", Args: []string{"s3://b/weir/job.json"},
	Conf: map[string]string{"spark.sql.ansi.enabled": "true"}, Timeout: 90 * time.Second,
}

func ended(t *testing.T, c *Client, h Handle) Status {
	t.Helper()
	for {
		st, err := c.Status(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		if st.State.Terminal() {
			return st
		}
		time.Sleep(time.Millisecond) // real time: a server's state
	}
}

func TestASubmissionRunsToItsEnd(t *testing.T) {
	each(t, func(t *testing.T, e *fake.EMR, c *Client) {
		var got []string
		e.Run = func(_ context.Context, args []string) error { got = args; return nil }
		h, err := c.Start(t.Context(), submission, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if st := ended(t, c, h); st.State != Succeeded {
			t.Errorf("got %+v", st)
		}
		for _, want := range []string{"spark.sql.ansi.enabled=true", "spark.speculation=true", "spark.excludeOnFailure.enabled=true"} {
			if !slices.Contains(got, want) {
				t.Errorf("spark-submit got %v, without %s", got, want)
			}
		}
		if n := len(got); got[n-2] != submission.Script || got[n-1] != submission.Args[0] {
			t.Errorf("spark-submit got %v, expected script and argument at the end", got)
		}
	})
}

func TestAFailureIsTold(t *testing.T) {
	each(t, func(t *testing.T, e *fake.EMR, c *Client) {
		e.Run = func(context.Context, []string) error { return errors.New("ExitCode: 1") }
		h, err := c.Start(t.Context(), submission, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if st := ended(t, c, h); st.State != Failed || st.Detail != "ExitCode: 1" {
			t.Errorf("got %+v", st)
		}
	})
}

func TestACancelledSubmissionEnds(t *testing.T) {
	each(t, func(t *testing.T, _ *fake.EMR, c *Client) {
		h, err := c.Start(t.Context(), submission, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Cancel(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if st := ended(t, c, h); st.State != Cancelled {
			t.Errorf("got %+v", st)
		}
		if err := c.Cancel(t.Context(), h); err != nil {
			t.Errorf("of what has ended: %v", err)
		}
	})
}

func TestALostAnswerStartsNoSecondRun(t *testing.T) {
	for _, fault := range []fake.Fault{fake.AcceptCut, fake.Accept500, fake.TooMany, fake.None} {
		t.Run(string(fault), func(t *testing.T) {
			each(t, func(t *testing.T, e *fake.EMR, c *Client) {
				e.Late = 50 * time.Millisecond // EMR shows it a little later
				e.Next(fault)
				h, err := c.Start(t.Context(), submission, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(e.Late)                                         // real time: until EMR shows it
				again, err := c.Start(t.Context(), submission, time.Now()) // by a process that knows nothing of the first
				if err != nil || again != h {
					t.Errorf("started again: %v, %v; the first was %v", again, err, h)
				}
				other := submission
				other.Token = "02TOKEN"
				if third, err := c.Start(t.Context(), other, time.Now()); err != nil || third == h {
					t.Errorf("another token gave %v, %v", third, err)
				}
				if n := len(e.Runs()); n != 2 {
					t.Errorf("%d runs, expected one for each token", n)
				}
			})
		})
	}
}

// A request of unknown fate is not sent again where EMR would run it twice.
func TestWhatNobodyKnowsIsNotSentAgain(t *testing.T) {
	each(t, func(t *testing.T, e *fake.EMR, c *Client) {
		e.Next(fake.Refuse500)
		_, err := c.Start(t.Context(), submission, time.Now())
		if want := !c.again(); errors.Is(err, ErrUnknown) != want {
			t.Errorf("got %v", err)
		}
		if _, err := c.Start(t.Context(), submission, time.Now()); err != nil {
			t.Errorf("the next try: %v", err)
		}
		if n := len(e.Runs()); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestARefusalIsToldAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *fake.EMR, c *Client) {
		e.Next(fake.BadAuth)
		_, err := c.Start(t.Context(), submission, time.Now())
		if err == nil || !strings.Contains(err.Error(), "not authorized") || errors.Is(err, ErrUnknown) {
			t.Errorf("got %v", err)
		}
		if len(e.Runs()) != 0 {
			t.Errorf("%d runs", len(e.Runs()))
		}
	})
}

// A cluster of its own scales, replaces unhealthy nodes, and ends with its step.
func TestTheRequestForAClusterHealsItself(t *testing.T) {
	each(t, func(t *testing.T, e *fake.EMR, c *Client) {
		o, ok := c.service.(*own)
		if !ok {
			t.Skip("of clusters only")
		}
		o.c.Cluster.Workers = Bounds{Min: 2, Max: 20}
		if _, err := c.Start(t.Context(), submission, time.Now()); err != nil {
			t.Fatal(err)
		}
		r := e.Runs()[0].Request
		instances, limits := r["Instances"].(map[string]any), r["ManagedScalingPolicy"].(map[string]any)["ComputeLimits"].(map[string]any)
		if instances["UnhealthyNodeReplacement"] != true || instances["KeepJobFlowAliveWhenNoSteps"] != false {
			t.Errorf("instances: %v", instances)
		}
		if limits["MinimumCapacityUnits"] != 2.0 || limits["MaximumCapacityUnits"] != 20.0 || limits["UnitType"] != "Instances" {
			t.Errorf("limits: %v", limits)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	for path, c := range map[string]Config{
		"staging":                {Serverless: ServerlessConfig{Application: application, Role: role}},
		"endpoint":               {Endpoint: "localhost"},
		"serverless.role":        {Staging: "s3://b/w", Serverless: ServerlessConfig{Application: application}},
		"serverless.application": {Staging: "s3://b/w", Serverless: ServerlessConfig{Application: "App!", Role: role}},
		"serverless.retries":     {Staging: "s3://b/w", Serverless: ServerlessConfig{Application: application, Role: role, Retries: 10}},
		"cluster":                {Staging: "s3://b/w", Cluster: ClusterConfig{ID: "j-1A", Release: "emr-7.12.0"}},
		"cluster.id":             {Staging: "s3://b/w", Cluster: ClusterConfig{ID: "1A"}},
		"cluster.release":        {Staging: "s3://b/w", Cluster: ClusterConfig{Release: "7.12"}},
		"cluster.workers":        {Staging: "s3://b/w", Cluster: ClusterConfig{Release: "emr-7.12.0", Workers: Bounds{Max: 3}}},
		"cluster.max_on_demand":  {Staging: "s3://b/w", Cluster: ClusterConfig{Release: "emr-7.12.0", MaxOnDemand: -1}},
	} {
		if bad := c.Validate(); len(bad) != 1 || bad[0].Path != path {
			t.Errorf("%s: got %v", path, bad)
		}
	}
	good := Config{Staging: "s3://b/w", Serverless: ServerlessConfig{Application: application, Role: role}, Cluster: ClusterConfig{ID: "j-1A"}}
	if bad := good.Validate(); bad != nil {
		t.Errorf("got %v", bad)
	}
}
