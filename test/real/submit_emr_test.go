//go:build real

package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"

	"weir/internal/emr"
	"weir/internal/fake"
	"weir/test/real/parts"
)

func awsSettings(t *testing.T) {
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
}

// Jobs are submitted to an EMR that runs them with a real spark-submit: followed, followed again after a kill, cancelled; an answer
// that is lost starts no second run. What a job on EMR does to its table is what it does here.
func TestSubmitToEMR(t *testing.T) {
	awsSettings(t)
	submit := parts.SparkSubmitCommand(t)
	e := fake.NewEMR()
	defer e.Close()
	logs := t.TempDir()
	e.Run = func(ctx context.Context, args []string) error {
		log, err := os.CreateTemp(logs, "spark-*.log")
		if err != nil {
			return err
		}
		defer log.Close()
		c := exec.CommandContext(ctx, submit, args...)
		c.Stdout, c.Stderr = log, log
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
		c.WaitDelay = 20 * time.Second
		if err := c.Run(); err != nil {
			text, _ := os.ReadFile(log.Name())
			return errors.Join(err, errors.New(tailOf(string(text))))
		}
		return nil
	}
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1")
	b.write("weir.yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: Weir
emr:
  endpoint: %s
  staging: file://%s
  jars: []
  serverless: {application: 00f1r2s3t4u5v6w7, role: "arn:aws:iam::111122223333:role/weir"}
  cluster: {id: j-1A2B3C4D5E6F7}
`, e.URL(), t.TempDir()))
	for _, name := range []string{"orders", "carried"} {
		b.write("jobs/"+name+".yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: Job
name: %s
etl:
  files: {dir: ../in, pattern: "orders_{date}.csv"}
  columns: [{name: id, type: bigint}, {name: part, type: int}]
  table: shop.%[1]s
  mode: replace
`, name))
	}
	var lines strings.Builder
	lines.WriteString("id,part\n")
	for i := range 10_000 {
		fmt.Fprintf(&lines, "%d,%d\n", i, i%7)
	}
	b.write("in/orders_2026-11-20.csv", lines.String())
	for _, name := range []string{"here", "there"} {
		b.write("jobs/"+name+".yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: Job
name: %s
report: {query: "SELECT part, CAST(count(*) AS BIGINT) AS n, CAST(sum(id) AS BIGINT) AS ids FROM shop.orders GROUP BY part", table: shop.%[1]s, mode: append}
`, name))
	}
	type ran struct {
		Run, State string
		RowsOut    int64 `json:"rows_out"`
	}
	var r ran
	do := func(code int, args ...string) {
		t.Helper()
		c, out, errs := b.start("pipeline", append(args, "--json")...)
		b.finish(c, out, errs, &r, code)
	}
	do(0, "run", "orders", "--for", "2026-11-20")
	do(0, "run", "here", "--for", "2026-11-20")

	e.Next(fake.AcceptCut)
	do(0, "submit", "there", "--to", "emr-serverless", "--for", "2026-11-20")
	if runs := e.Runs(); len(runs) != 1 || r.State != "ready" || r.RowsOut != 7 {
		t.Errorf("an answer that was lost: %d runs, %+v", len(runs), r)
	}
	rows := func(table string) string {
		q := exec.Command(filepath.Join(b.bin, "pipeline"), "sql", "SELECT * FROM shop."+table+" ORDER BY 1", "--home", b.home(), "--json")
		q.Dir = b.dir
		text, err := q.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return string(text)
	}
	here := rows("here")
	if there := rows("there"); there != here {
		t.Errorf("EMR's rows\n%s\ndiffer from Go's\n%s", there, here)
	}

	// Files are carried to where EMR sees them.
	do(0, "submit", "carried", "--to", "emr", "--for", "2026-11-20")
	if files := rows("orders"); rows("carried") != files || r.RowsOut != 10_000 {
		t.Errorf("the files were loaded differently: %+v", r)
	}

	// The follower dies; the same command follows the run that goes on, and reaches the end of it.
	do(0, "run", "here", "--for", "2026-11-21")
	e.Next(fake.Accept500)
	follower, _, errs := b.start("pipeline", "submit", "there", "--to", "emr", "--for", "2026-11-21", "--json")
	until(t, func() bool { return len(e.Runs()) == 3 && e.Runs()[2].State == "RUNNING" }, errs)
	_ = follower.Process.Kill()
	_ = follower.Wait()
	do(0, "submit", "there", "--to", "emr", "--for", "2026-11-21")
	if runs := e.Runs(); len(runs) != 3 || r.State != "ready" {
		t.Errorf("followed again: %d runs, %+v", len(runs), r)
	}
	here = rows("here")
	if there := rows("there"); there != here {
		t.Errorf("after two days EMR's rows\n%s\ndiffer from Go's\n%s", there, here)
	}

	// Cancelled: nothing is committed, and Spark has ended.
	do(0, "submit", "there", "--to", "emr-serverless", "--for", "2026-11-22", "--detach")
	until(t, func() bool { return len(e.Runs()) == 4 && e.Runs()[3].State == "RUNNING" }, &bytes.Buffer{})
	do(0, "cancel", r.Run)
	if runs := e.Runs(); runs[3].State != "CANCELLED" || r.State != "cancelled" {
		t.Errorf("cancelled: EMR says %s, weir %+v", runs[3].State, r)
	}
	if there := rows("there"); there != here {
		t.Errorf("the cancelled run changed the table:\n%s", there)
	}
	if told, err := os.ReadFile(filepath.Join(b.home(), "told.txt")); err != nil || strings.Count(string(told), "there") < 3 {
		t.Errorf("the unit was told %s (%v)", told, err)
	}
}

func tailOf(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

func until(t *testing.T, ok func() bool, errs *bytes.Buffer) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("it has not come so far within a minute: %s", errs)
		}
		time.Sleep(100 * time.Millisecond) // real time: another process works
	}
}

// The requests are those that another emulator of AWS takes, too.
func TestEMRRequestsAreAWS(t *testing.T) {
	awsSettings(t)
	endpoint := parts.Moto(t)
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	app, err := emrserverless.NewFromConfig(cfg, func(o *emrserverless.Options) { o.BaseEndpoint = &endpoint }).CreateApplication(t.Context(),
		&emrserverless.CreateApplicationInput{Name: aws.String("weir"), ReleaseLabel: aws.String("emr-7.12.0"), Type: aws.String("SPARK"), ClientToken: aws.String("t")})
	if err != nil {
		t.Fatal(err)
	}
	base := emr.Config{Endpoint: endpoint, Region: "eu-central-1", Staging: "s3://weir/staging"}
	s := emr.Submission{Token: "01TOKEN", Name: "weir totals", Script: "s3://weir/driver.py", Args: []string{"s3://weir/job.json"}, Timeout: time.Hour}
	try := func(t *testing.T, c emr.Config, target string) emr.Handle {
		client, err := emr.Open(t.Context(), c, target)
		if err != nil {
			t.Fatal(err)
		}
		h, err := client.Start(t.Context(), s, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		again, err := client.Start(t.Context(), s, time.Now())
		if err != nil || again != h && target == emr.Cluster { // moto knows no client tokens, and its list of job runs leaves new ones out
			t.Errorf("started again: %v, %v; the first was %v", again, err, h)
		}
		st, err := client.Status(t.Context(), h)
		if err != nil || st.State == "" {
			t.Errorf("status %+v, %v", st, err)
		}
		t.Logf("%s: %v %+v", t.Name(), h, st)
		return h
	}
	var cluster string
	t.Run("serverless", func(t *testing.T) {
		c := base
		c.Serverless = emr.ServerlessConfig{Application: *app.ApplicationId, Role: "arn:aws:iam::123456789012:role/weir"} // moto's account
		h := try(t, c, emr.Serverless)
		client, err := emr.Open(t.Context(), c, emr.Serverless)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Cancel(t.Context(), h); err != nil {
			t.Error(err)
		}
		if st, err := client.Status(t.Context(), h); err != nil || st.State != emr.Cancelled && st.State != emr.Running {
			t.Errorf("after the cancellation: %+v, %v", st, err)
		}
	})
	t.Run("own cluster", func(t *testing.T) {
		c := base
		c.Cluster = emr.ClusterConfig{Release: "emr-7.12.0", Workers: emr.Bounds{Min: 2, Max: 20}}
		cluster = try(t, c, emr.Cluster).In
	})
	t.Run("steps", func(t *testing.T) {
		c := base
		c.Cluster = emr.ClusterConfig{ID: cluster}
		s.Token = "02TOKEN"
		try(t, c, emr.Cluster)
	})
}
