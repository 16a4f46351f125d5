package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"weir/internal/cli"
	"weir/internal/emr"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/spark"
	"weir/internal/storage"
	"weir/minibatch"
)

// submission is what this home remembers of a run on EMR; it is on disk before EMR hears of the run, so that after a crash the same
// token is used again.
type submission struct {
	Target string         `json:"target"`
	Made   time.Time      `json:"made"`
	Table  string         `json:"table"`
	Result string         `json:"result"` // URI
	Spark  emr.Submission `json:"spark"`
}

func (s *site) submissionFile(run string) string {
	return s.project.In(filepath.Join("spark", run, "submission.json"))
}

// emr submits a job, unless the same one runs there already, and follows it.
func (o submitOptions) emr(ctx context.Context, s *site, j job.Job, in minibatch.Interval) (r runResult, printed bool, err error) {
	if !o.dry {
		if run, ok, err := s.running(ctx, j, in); err != nil || ok {
			if ok {
				fmt.Fprintf(s.app.Stderr, "pipeline: %s was submitted before as run %s, which has not ended: following it\n", j.Name, run)
				r, err = s.attach(ctx, run, o.detach)
			}
			return r, false, err
		}
	}
	id := ulid.Make().String()
	cfg := s.project.Weir.EMR
	client, err := emr.Open(ctx, cfg, o.to)
	if err != nil {
		return r, false, err
	}
	if err := s.reachable(j); err != nil {
		return r, false, err
	}
	sj, secrets, err := s.sparkJob(ctx, j, id, in)
	if err != nil {
		return r, false, err
	}
	if needed := s.neededSecrets(secrets); len(needed) > 0 {
		if sj.Secret = cfg.Secret; sj.Secret == "" {
			return r, false, cli.Usage(fmt.Errorf("job %s needs passwords on EMR, and emr.secret of weir.yaml names no secret", j.Name),
				"keep them in AWS Secrets Manager as one JSON text with these keys, and name its id: "+strings.Join(needed, ", "))
		}
	}
	sub := submission{Target: o.to, Made: time.Now(), Table: sj.Table, Spark: emr.Submission{Token: id, Name: "weir " + j.Name, Conf: sj.Conf, Timeout: j.Timeout}}
	dir := storage.Join(storage.URI(cfg.Staging), id)
	sub.Result = storage.Join(dir, spark.ResultFile)
	if o.dry {
		sub.Spark.Script, sub.Spark.Args = storage.Join(dir, "driver.py"), []string{storage.Join(dir, "job.json")}
		return r, true, s.showRequest(client.Request(sub.Spark), sj)
	}
	if err := s.stage(ctx, dir, sj, &sub); err != nil {
		return r, false, err
	}
	err = s.ledger.Start(ctx, ledger.Run{
		RunID: id, Job: j.Name, Kind: j.Kind, Title: j.Title, Unit: j.Unit, Remote: o.to, Interval: outcome.Interval{Start: in.Start, End: in.End},
	})
	if err != nil {
		return r, false, err
	}
	r, err = s.attach(ctx, id, o.detach)
	return r, false, err
}

// stage puts driver and job where EMR finds them, and then writes the submission down.
func (s *site) stage(ctx context.Context, dir string, sj spark.Job, sub *submission) error {
	fs, err := storage.Open(ctx, dir, s.project.Lake().Storage.Properties())
	if err != nil {
		return err
	}
	if err := carry(fs, dir, sj.ETL); err != nil {
		return &cli.Error{Err: fmt.Errorf("the files cannot be put to emr.staging: %w", err), Hint: "emr.staging is reached as tables are: see lake.s3"}
	}
	file, script, err := spark.Stage(sj, func(name string, b []byte) (string, error) {
		uri := storage.Join(dir, name)
		return uri, fs.WriteFile(uri, b)
	})
	if err != nil {
		return &cli.Error{Err: fmt.Errorf("driver and job cannot be put to emr.staging: %w", err), Hint: "emr.staging is reached as tables are: see lake.s3"}
	}
	sub.Spark.Script, sub.Spark.Args = script, []string{file}
	b, err := json.MarshalIndent(sub, "", "  ")
	if err != nil {
		return err
	}
	path := s.submissionFile(sj.Run)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	disk, err := storage.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	return disk.WriteFile(path, b)
}

// carry puts files to where EMR sees them: they lie on this machine.
func carry(to storage.FS, dir string, e *spark.ETL) error {
	if e == nil {
		return nil
	}
	for _, d := range e.Deliveries {
		for i := range d.Files {
			uri := storage.Join(dir, "files", fmt.Sprintf("%s-%d", d.Day, i), d.Files[i].Name)
			if err := put(to, uri, d.Files[i].Path); err != nil {
				return err
			}
			d.Files[i].URI = uri
		}
	}
	return nil
}

func put(to storage.FS, uri, path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.Create(uri)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// running finds the run of a job and data interval that is on EMR now.
func (s *site) running(ctx context.Context, j job.Job, in minibatch.Interval) (string, bool, error) {
	open, err := s.ledger.Open(ctx)
	i := slices.IndexFunc(open, func(r ledger.Run) bool {
		return r.Remote != "" && r.Job == j.Name && r.Interval.Start.Equal(in.Start) && r.Interval.End.Equal(in.End)
	})
	if err != nil || i < 0 {
		return "", false, err
	}
	return open[i].RunID, true, nil
}

// reachable refuses what a cluster elsewhere cannot see of this machine.
func (s *site) reachable(j job.Job) error {
	if s.project.Weir.EMR.Endpoint != "" { // an emulator runs jobs on this machine
		return nil
	}
	l := s.project.Lake()
	if !strings.Contains(l.Catalog, "://") {
		return cli.Usage(errors.New("EMR cannot reach the catalog: it is a file on this machine"), "write lake: {catalog: glue}, or a REST, Hive or PostgreSQL catalog, into weir.yaml (docs/catalogs.md)")
	}
	if s.project.Weir.Lake.Catalog != "rest" && storage.Local(l.Warehouse) {
		return cli.Usage(errors.New("EMR cannot reach the warehouse: it is a directory on this machine"), "write lake: {warehouse: s3://bucket/path} into weir.yaml")
	}
	if _, ok := j.Spec.(*ingest.Config); ok && s.project.Weir.Kafka.Brokers.Embedded() {
		return cli.Usage(errors.New("EMR cannot reach the broker: it is embedded in this program"), "write kafka: {brokers: [host:9092]} and registry: {url: …} into weir.yaml")
	}
	return nil
}

// neededSecrets are the keys of what a job needs; S3's come from the job's role.
func (s *site) neededSecrets(x spark.Secrets) []string {
	var keys []string
	for what, m := range map[string]map[string]string{"conf": x.Conf, "kafka": x.Kafka, "registry": x.Registry} {
		for k := range maps.Keys(m) {
			if strings.Contains(k, ".s3.") && s.project.Weir.Lake.Storage.S3.Endpoint == "" {
				continue
			}
			keys = append(keys, what+"."+k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s *site) showRequest(request any, sj spark.Job) error {
	v := map[string]any{"request": request, "job": sj}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.app.Result(v, string(b)+"\n")
}
