package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/emr"
	"weir/internal/etl"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/kafka"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/registry"
	"weir/internal/report"
	"weir/internal/spark"
	"weir/minibatch"
)

func submitCommand(app *cli.App) *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit JOB",
		Short: "run a job on Spark, here or on EMR",
		Long: `submit runs a job on Spark: the same file, the same table, the same cursor as "pipeline run". A stream that one of them has
begun can go on with the other. An ingest takes what the topic holds now, and ends.

    pipeline submit transactions --to local                       with spark-submit on this machine
    pipeline submit daily_totals --to thrift --for 2026-11-20     a report through the Spark Thrift Server of weir.yaml
    pipeline submit daily_totals --to emr-serverless --for 2026-11-20
    pipeline submit daily_totals --to emr --for 2026-11-20 --dry-run       print job and request, without secrets; start nothing
    pipeline submit --attach RUN                                  follow a run on EMR again

What runs on EMR (the emr block of weir.yaml) goes on when this program ends: Ctrl-C only stops following it, "pipeline cancel RUN"
ends it. The same job and data interval is not submitted twice: while it runs, submit follows it, also after a crash.

Spark needs the jars of Iceberg, and for an ingest those of its Kafka and Avro connectors: spark.jars.packages in spark-defaults.conf,
or emr.packages. A message that cannot be decoded, and a line on which an expression fails, stop the job before anything of its batch is
written; "pipeline run" keeps them in quarantine. Lines that are no records, and values of the wrong type, go to quarantine here too.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 0) == (o.attach == "") {
				return cli.Usage(errors.New("expected the name of a job, or --attach RUN"), "")
			}
			return o.run(c.Context(), app, strings.Join(args, ""))
		},
	}
	c.Flags().StringVar(&o.to, "to", toLocal, "where the job runs: "+strings.Join(submitTargets, ", "))
	c.Flags().StringVar(&o.day, "for", "", "data interval: the day DATE (2026-11-20), in UTC")
	c.Flags().StringVar(&o.span, "interval", "", "data interval: START/END (2026-11-20T06:00:00Z/2026-11-20T07:00:00Z), as schedulers give it")
	c.MarkFlagsMutuallyExclusive("for", "interval")
	c.Flags().StringVar(&o.submit, "spark-submit", "", "spark-submit to use with --to local (default: that of SPARK_HOME or the PATH)")
	c.Flags().BoolVar(&o.dry, "dry-run", false, "print the job as JSON and start nothing")
	c.Flags().BoolVar(&o.detach, "detach", false, "on EMR: end as soon as the job is submitted")
	c.Flags().StringVar(&o.attach, "attach", "", "follow this run, which was submitted to EMR before")
	c.Flags().StringVar(&o.project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	return c
}

const (
	toLocal  = "local"
	toThrift = "thrift"
)

var submitTargets = []string{toLocal, toThrift, emr.Cluster, emr.Serverless}

type submitOptions struct {
	project, to, day, span, submit, attach string
	dry, detach                            bool
}

func (o submitOptions) run(ctx context.Context, app *cli.App, name string) (err error) {
	interval, err := day(o.day)
	if err == nil && o.span != "" {
		interval.Start, interval.End, err = spanOf(o.span)
	}
	if err != nil {
		return err
	}
	if !slices.Contains(submitTargets, o.to) {
		return cli.Usage(fmt.Errorf("--to: expected %s, got %q", strings.Join(submitTargets, ", "), o.to), "")
	}
	s, err := openSite(ctx, app, o.project)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var r runResult
	var printed bool
	switch {
	case o.attach != "":
		r, err = s.attach(ctx, o.attach, false)
	default:
		var j job.Job
		if j, err = job.Find(s.project.JobsDir(), name, kinds); err != nil {
			return err
		}
		switch o.to {
		case toLocal:
			r, printed, err = o.local(ctx, s, j, interval)
		case toThrift:
			r, err = o.thrift(ctx, s, j, interval)
		default:
			r, printed, err = o.emr(ctx, s, j, interval)
		}
	}
	if printed {
		return err
	}
	err = errors.Join(err, s.told(ctx))
	if err != nil {
		return err
	}
	return app.Result(r, r.text())
}

func (o submitOptions) local(ctx context.Context, s *site, j job.Job, in minibatch.Interval) (r runResult, printed bool, err error) {
	var submit string
	if !o.dry {
		if submit, err = spark.Find(o.submit, s.app.Getenv); err != nil {
			return r, false, err
		}
	}
	sj, secrets, err := s.sparkJob(ctx, j, ulid.Make().String(), in)
	if err != nil {
		return r, false, err
	}
	if o.dry {
		b, err := json.MarshalIndent(sj, "", "  ")
		if err != nil {
			return r, true, err
		}
		return r, true, s.app.Result(sj, string(b)+"\n")
	}
	r, err = s.onSpark(ctx, submit, j, sj, secrets, in)
	return r, false, err
}

// thrift runs a report's query on a Spark Thrift Server, whichever engine its file names, and publishes its rows from here.
func (o submitOptions) thrift(ctx context.Context, s *site, j job.Job, in minibatch.Interval) (runResult, error) {
	c, ok := j.Spec.(*report.Config)
	if !ok {
		return runResult{}, cli.Usage(fmt.Errorf("job %s: a Spark Thrift Server runs reports, this is of kind %s", j.Name, j.Kind), "--to local or emr run it")
	}
	there := *c
	there.Engine = "hive"
	j.Spec = &there
	if o.dry {
		return runResult{}, cli.Usage(errors.New("--dry-run: nothing is made for a Thrift Server but the query itself"), "")
	}
	return s.execute(ctx, j, execution{id: ulid.Make().String(), interval: in, timeout: j.Timeout})
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
	t := told{rowsIn: got.RowsIn, rowsOut: got.RowsOut, rejected: got.Rejected, filtered: got.Filtered, stopped: errors.Is(err, cli.ErrInterrupted), outputs: []outcome.Dataset{{Name: sj.Table, Rows: got.RowsOut}}}
	o := t.outcome(r, err)
	err = errors.Join(err, s.ledger.Finish(context.WithoutCancel(ctx), sj.Run, o))
	return runResult{Job: j.Name, Run: sj.Run, State: string(o.State), RowsIn: got.RowsIn, RowsOut: got.RowsOut, Rejected: got.Rejected, Seconds: time.Since(began).Seconds()}, err
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
	case *etl.Config:
		out.Table = c.Table
		out.ETL, err = s.sparkETL(ctx, j, *c, in)
	default:
		err = cli.Usage(fmt.Errorf("job %s: Spark does not run jobs of kind %s", j.Name, j.Kind), "`pipeline run "+j.Name+"` runs it here")
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
	if f := c.Format.Format; f != "" && f != "confluent" {
		return nil, cli.Usage(fmt.Errorf("job %s: the driver for Spark reads messages with the header of Confluent, not format: %s", j.Name, f), "run it here: `pipeline run "+j.Name+"`")
	}
	if len(c.Key) > 0 {
		return nil, &cli.Error{Err: placed(j, "ingest.write", "Spark appends only: an upsert job runs here, with `pipeline run "+j.Name+"`"), Exit: 2}
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	in, err := s.openIngest(ctx, j, c)
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
	if out.SchemaID, _, err = s.schemas.Latest(ctx, c.Subject()); err != nil {
		return nil, err
	}
	_, reg, err := s.project.Resolve()
	if err != nil {
		return nil, err
	}
	out.Registry = reg.URL
	if err := onSpark(s.kafka, reg); err != nil {
		return nil, err
	}
	if reg.Token != "" {
		secrets.Registry = map[string]string{"Authorization": "Bearer " + reg.Token.Reveal()}
	}
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

// onSpark refuses what the Java client on the cluster cannot do with our files and keys.
func onSpark(k kafka.Config, r registry.Config) error {
	const hint = "name a listener in weir.yaml that takes PLAIN or SCRAM, or run the job here: `pipeline run`"
	switch {
	case k.SASL != nil && k.SASL.Mechanism != "PLAIN" && !strings.HasPrefix(k.SASL.Mechanism, "SCRAM-"):
		return cli.Usage(fmt.Errorf("kafka.sasl.mechanism %s is not carried to Spark", k.SASL.Mechanism), hint)
	case k.TLS != nil && (k.TLS.Cert != "" || k.TLS.ServerName != ""):
		return cli.Usage(errors.New("kafka.tls.cert and server_name are not carried to Spark"), hint)
	case r.TLS != nil:
		return cli.Usage(errors.New("registry.tls is not carried to Spark"), "there the registry is reached with the JVM's authorities: run the job here with `pipeline run`")
	}
	return nil
}
