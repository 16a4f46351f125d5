package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/kafka"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/report"
	"weir/internal/spark"
	"weir/minibatch"
)

func submitCommand(app *cli.App) *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit JOB",
		Short: "run a job on Spark",
		Long: `submit runs a report or an ingest job on Spark: the same file, the same table, the same cursor as "pipeline run". A stream that
one of them has begun can go on with the other. An ingest takes what the topic holds now, and ends.

    pipeline submit transactions --to local                       with spark-submit on this machine
    pipeline submit daily_totals --to local --for 2026-11-20
    pipeline submit daily_totals --to local --for 2026-11-20 --dry-run     print the job as Spark would get it, without secrets

Spark needs the jars of Iceberg, and for an ingest those of its Kafka and Avro connectors: spark.jars.packages in spark-defaults.conf.
A message that cannot be decoded stops the job before anything of its batch is written; "pipeline run" keeps it in quarantine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args[0]) },
	}
	c.Flags().StringVar(&o.to, "to", "local", "where Spark runs: local")
	c.Flags().StringVar(&o.day, "for", "", "data interval: the day DATE (2026-11-20), in UTC")
	c.Flags().StringVar(&o.submit, "spark-submit", "", "spark-submit to use (default: that of SPARK_HOME or the PATH)")
	c.Flags().BoolVar(&o.dry, "dry-run", false, "print the job as JSON and start nothing")
	c.Flags().StringVar(&o.project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	return c
}

type submitOptions struct {
	project, to, day, submit string
	dry                      bool
}

func (o submitOptions) run(ctx context.Context, app *cli.App, name string) (err error) {
	interval, err := day(o.day)
	if err != nil {
		return err
	}
	if o.to != "local" {
		return cli.Usage(fmt.Errorf("--to: expected local, got %q", o.to), "")
	}
	s, err := openSite(ctx, app, o.project)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	j, err := job.Find(s.project.JobsDir(), name, kinds)
	if err != nil {
		return err
	}
	var submit string
	if !o.dry {
		if submit, err = spark.Find(o.submit, app.Getenv); err != nil {
			return err
		}
	}
	id := ulid.Make().String()
	sj, secrets, err := s.sparkJob(ctx, j, id, interval)
	if err != nil {
		return err
	}
	if o.dry {
		b, err := json.MarshalIndent(sj, "", "  ")
		if err != nil {
			return err
		}
		return app.Result(sj, string(b)+"\n")
	}
	r, err := s.onSpark(ctx, submit, j, sj, secrets, interval)
	err = errors.Join(err, s.told(ctx))
	if err != nil {
		return err
	}
	return app.Result(r, r.text())
}

// onSpark runs the job with its entry in the ledger, as execute does.
func (s *site) onSpark(ctx context.Context, submit string, j job.Job, sj spark.Job, secrets spark.Secrets, in minibatch.Interval) (runResult, error) {
	r := ledger.Run{RunID: sj.Run, Job: j.Name, Kind: j.Kind, Title: j.Title, Unit: j.Unit, Interval: outcome.Interval{Start: in.Start, End: in.End}}
	began := time.Now()
	if err := s.ledger.Start(ctx, r); err != nil {
		return runResult{}, err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	beat, quiet := context.WithCancel(context.WithoutCancel(ctx))
	s.workers.Go(func() { s.heartbeat(beat, sj.Run, end) })
	got, err := spark.Submit(ctx, submit, s.project.In(filepath.Join("spark", sj.Run)), sj, secrets)
	quiet()
	t := told{rowsIn: got.RowsIn, rowsOut: got.RowsOut, stopped: errors.Is(err, cli.ErrInterrupted), outputs: []outcome.Dataset{{Name: sj.Table, Rows: got.RowsOut}}}
	o := t.outcome(r, err)
	err = errors.Join(err, s.ledger.Finish(context.WithoutCancel(ctx), sj.Run, o))
	return runResult{Job: j.Name, Run: sj.Run, State: string(o.State), RowsIn: got.RowsIn, RowsOut: got.RowsOut, Seconds: time.Since(began).Seconds()}, err
}

// sparkRows is what one commit of an ingest on Spark takes: it is for large batches.
const sparkRows = 5_000_000

// sparkJob resolves a job for Spark, and says what Spark cannot do of it.
func (s *site) sparkJob(ctx context.Context, j job.Job, run string, in minibatch.Interval) (spark.Job, spark.Secrets, error) {
	out := spark.Job{Name: j.Name, Run: run, Kind: j.Kind}
	var secrets spark.Secrets
	var err error
	if out.Conf, secrets.Conf, err = s.sparkCatalog(); err != nil {
		return out, secrets, err
	}
	switch c := j.Spec.(type) {
	case *report.Config:
		out.Table = c.Table
		out.Report, err = sparkReport(ctx, j, *c, in)
	case *ingest.Config:
		out.Table = c.Table
		out.Ingest, err = s.sparkIngest(ctx, j, *c, &secrets)
	default:
		err = cli.Usage(fmt.Errorf("job %s: Spark runs jobs of kind report and ingest, this one is of kind %s", j.Name, j.Kind), "`pipeline run "+j.Name+"` runs it here")
	}
	return out, secrets, err
}

func sparkReport(ctx context.Context, j job.Job, c report.Config, in minibatch.Interval) (*spark.Report, error) {
	switch {
	case c.Incremental.On():
		return nil, cli.Usage(fmt.Errorf("job %s: `incremental` does not run on Spark", j.Name), "`pipeline run "+j.Name+"` runs it here; on Spark use $interval_start and $interval_end")
	case !reflect.ValueOf(c.Checks).IsZero():
		return nil, cli.Usage(fmt.Errorf("job %s: `checks` do not run on Spark yet, and without them nothing is published", j.Name), "`pipeline run "+j.Name+"` runs it here; engine: hive runs the query on a Spark Thrift Server and the checks here")
	case in.IsZero() && (c.Mode == "append" || c.IntervalColumn != ""):
		return nil, cli.Usage(fmt.Errorf("job %s needs a data interval, and none was given", j.Name), fmt.Sprintf("`pipeline submit %s --for 2026-11-20`", j.Name))
	}
	query, _, err := c.Text(filepath.Dir(j.File))
	if err != nil {
		return nil, err
	}
	f, err := flow(ctx, j)
	if err != nil {
		return nil, err
	}
	r := &spark.Report{Query: spark.Parameters(strings.TrimRight(query, "; \t\n")), Mode: c.Mode, IntervalColumn: c.IntervalColumn, Sources: f.Reads}
	if !in.IsZero() {
		r.Interval = &spark.Interval{Start: in.Start.UTC(), End: in.End.UTC()}
	}
	return r, nil
}

// sparkIngest makes the table where there is none, in the same way as a run here.
func (s *site) sparkIngest(ctx context.Context, j job.Job, c ingest.Config, secrets *spark.Secrets) (*spark.Ingest, error) {
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	in, err := ingest.New(ctx, j.Name, c, ingest.Parts{Kafka: s.kafka, Schemas: s.schemas, Lake: s.lake})
	if err != nil {
		return nil, err
	}
	in.Close()
	cl, err := kafka.Connect(s.kafka)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	out := &spark.Ingest{Topic: c.Topic, Start: c.Start, Rows: sparkRows, Kafka: map[string]string{"bootstrap.servers": s.kafka.Brokers.String()}}
	if out.Cluster, out.TopicID, _, err = kafka.Identity(ctx, cl, c.Topic); err != nil {
		return nil, err
	}
	subject := c.Subject
	if subject == "" {
		subject = c.Topic + "-value"
	}
	if out.SchemaID, _, err = s.schemas.Latest(ctx, subject); err != nil {
		return nil, err
	}
	_, reg, err := s.project.Resolve()
	if err != nil {
		return nil, err
	}
	out.Registry = reg.URL
	if reg.User != "" {
		secrets.Registry = map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(reg.User+":"+reg.Password.Reveal()))}
	}
	protocol := "PLAINTEXT"
	if s.kafka.TLS != nil {
		protocol = "SSL"
		if s.kafka.TLS.CA != "" {
			out.Kafka["ssl.truststore.type"], out.Kafka["ssl.truststore.location"] = "PEM", s.kafka.TLS.CA
		}
	}
	if l := s.kafka.SASL; l != nil {
		module := "org.apache.kafka.common.security.scram.ScramLoginModule"
		if l.Mechanism == "PLAIN" {
			module = "org.apache.kafka.common.security.plain.PlainLoginModule"
		}
		protocol = map[string]string{"PLAINTEXT": "SASL_PLAINTEXT", "SSL": "SASL_SSL"}[protocol]
		out.Kafka["sasl.mechanism"] = l.Mechanism
		secrets.Kafka = map[string]string{"sasl.jaas.config": fmt.Sprintf("%s required username=%s password=%s;", module, jaas(l.User), jaas(l.Password.Reveal()))}
	}
	if protocol != "PLAINTEXT" {
		out.Kafka["security.protocol"] = protocol
	}
	return out, nil
}

// jaas quotes a value of a JAAS line.
func jaas(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
