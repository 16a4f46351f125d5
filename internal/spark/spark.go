// Package spark runs jobs of weir on Apache Spark, with one driver in Python for all of them.
//
// Fill a [Job] with what has been resolved (names, query, table, connections) and hand it to [Submit], which starts spark-submit
// on this machine.
//
// # Promises
//
// The job's file holds no secret: they reach the driver through its environment, or from AWS Secrets Manager. The driver takes the job's position from the
// destination table and commits rows and cursor together, in the form that internal/lake and internal/topic read, so that a stream
// can go on with either engine. It refuses what it cannot do as well, before it writes: a table that was rolled back, a cursor of
// another topic, a message that cannot be decoded.
//
// Iceberg repeats an append whose head has moved, so two workers at the very same moment are found only after the commit, and the
// run fails: run one worker per job.
package spark

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/cli"
)

var (
	//go:embed lines.py
	lines []byte
	//go:embed driver.py
	verbs []byte

	// driver is one script: what stands in the script itself goes to the executors without further files.
	driver = slices.Concat(lines, []byte("\n\n"), verbs)
)

// A Job is what the driver reads.
type Job struct {
	Name   string            `json:"name"`
	Run    string            `json:"run"`
	Kind   string            `json:"kind"` // report, etl or ingest
	Table  string            `json:"table"`
	Conf   map[string]string `json:"conf"` // of the session: the catalog weir
	Report *Report           `json:"report,omitempty"`
	Ingest *Ingest           `json:"ingest,omitempty"`
	ETL    *ETL              `json:"etl,omitempty"`
	Secret string            `json:"secret,omitempty"` // id in AWS Secrets Manager of what [Secrets] is; empty: it comes by the environment
}

// Report is a query whose result goes to the job's table.
type Report struct {
	Query          string    `json:"query"` // with :interval_start, see Parameters
	Mode           string    `json:"mode"`  // replace or append
	IntervalColumn string    `json:"interval_column,omitempty"`
	Sources        []string  `json:"sources"`
	Interval       *Interval `json:"interval,omitempty"`
}

// Interval is [Start, End).
type Interval struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Ingest is a topic that goes to the job's table.
type Ingest struct {
	Topic    string            `json:"topic"`
	TopicID  string            `json:"topic_id"`
	Cluster  string            `json:"cluster"`
	Start    string            `json:"start"`
	Rows     int64             `json:"rows"`  // of one commit, about
	Kafka    map[string]string `json:"kafka"` // settings of its Java client
	Registry string            `json:"registry"`
	SchemaID int               `json:"schema_id"` // of what the table's columns are read as
}

// ETL is files that go to the job's table.
type ETL struct {
	Deliveries []Delivery `json:"deliveries"` // those of the table's cursor are left out by the driver
	Format     Format     `json:"format"`
	Columns    []Column   `json:"columns"`
	Select     []Select   `json:"select"`
	Where      string     `json:"where"`
	Mode       string     `json:"mode"` // replace or append
	MaxRows    int64      `json:"max_rows"`
	MaxShare   float64    `json:"max_share"`
}

// Delivery is the files of one business date.
type Delivery struct {
	Day    string `json:"day"` // 2026-11-20, or empty
	Digest string `json:"digest"`
	Files  []File `json:"files"`
}

// File is read at its URI and named by its path.
type File struct {
	URI    string `json:"uri"`
	Path   string `json:"path"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Format is how lines are written, with nothing left to a default.
type Format struct {
	Delimiter string   `json:"delimiter"`
	Quote     string   `json:"quote"` // empty: none
	Comment   string   `json:"comment"`
	Header    bool     `json:"header"`
	Latin1    bool     `json:"latin1"`
	Null      []string `json:"null"`
	MaxField  int64    `json:"max_field"`
}

// Column of a file.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Format   string `json:"format,omitempty"`
	Source   string `json:"source,omitempty"`
	Required bool   `json:"required,omitempty"`
}

// Select is a column of the table.
type Select struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`
}

// Secrets are what the driver gets through its environment.
type Secrets struct {
	Conf     map[string]string `json:"conf,omitempty"`
	Kafka    map[string]string `json:"kafka,omitempty"`
	Registry map[string]string `json:"registry,omitempty"` // headers
}

const secretsVariable = "WEIR_SPARK_SECRETS"

// Result is what the driver says at its end.
type Result struct {
	RowsIn  int64 `json:"rows_in"`
	RowsOut int64 `json:"rows_out"`
	Commits int   `json:"commits"`

	Rejected int64 `json:"rejected,omitempty"`
	Filtered int64 `json:"filtered,omitempty"`
}

// Find gives the spark-submit to use: the one that is named, or else that of SPARK_HOME or the PATH.
func Find(named string, getenv func(string) string) (string, error) {
	switch home := getenv("SPARK_HOME"); {
	case named != "":
	case home != "":
		named = filepath.Join(home, "bin", "spark-submit")
	default:
		named = "spark-submit"
	}
	path, err := exec.LookPath(named)
	if err != nil {
		return "", cli.Usage(fmt.Errorf("there is no %s to run the job with", named), "install Spark 3.5 (`pip install pyspark==3.5.7` has it), set SPARK_HOME, or name it: `--spark-submit FILE`")
	}
	return path, nil
}

// stopTime is how long Spark may take to end when it is told to.
const stopTime = 30 * time.Second

// Submit runs a job with spark-submit and waits for its end. dir is a directory for the driver and the job's file; a cancelled
// ctx ends Spark, and what it had not committed is as if it had not been.
func Submit(ctx context.Context, submit, dir string, j Job, s Secrets) (Result, error) {
	file, script, err := write(dir, j)
	if err != nil {
		return Result{}, err
	}
	secrets, err := json.Marshal(s)
	if err != nil {
		return Result{}, err
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, submit, script, file)
	c.Env = append(os.Environ(), secretsVariable+"="+string(secrets))
	c.Stdout, c.Stderr = &out, &errs
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopTime
	err = c.Run()
	log := filepath.Join(dir, "log")
	errs.Write(out.Bytes()) // spark-submit sends all that the driver says to stdout, its errors too
	if werr := os.WriteFile(log, errs.Bytes(), 0o600); werr != nil {
		return Result{}, errors.Join(err, werr)
	}
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if err != nil {
		return Result{}, &cli.Error{Err: fmt.Errorf("job %s on Spark: %s", j.Name, said(errs.String(), err)), Hint: "Spark's own words: " + log}
	}
	var r Result
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		return r, fmt.Errorf("job %s on Spark: its last line is %q: %w", j.Name, lines[len(lines)-1], err)
	}
	return r, nil
}

func write(dir string, j Job) (file, script string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	return Stage(j, func(name string, b []byte) (string, error) {
		path := filepath.Join(dir, name)
		return path, os.WriteFile(path, b, 0o600)
	})
}

// Stage hands what spark-submit needs to whoever puts files: the job's file, the driver's argument, and the driver. put gives the
// name under which spark-submit finds a file.
func Stage(j Job, put func(name string, b []byte) (string, error)) (file, script string, err error) {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return "", "", err
	}
	if file, err = put("job.json", b); err != nil {
		return "", "", err
	}
	script, err = put("driver.py", driver)
	return file, script, err
}

// ResultFile is what the driver leaves beside a job's file that it was given by URI.
const ResultFile = "result.json"

// ParseResult reads a ResultFile: what was done, or what the driver could not do.
func ParseResult(b []byte) (Result, error) {
	var r struct {
		Result
		Error string `json:"error"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Result{}, fmt.Errorf("the driver's result: %w", err)
	}
	if r.Error != "" {
		return Result{}, errors.New(r.Error)
	}
	return r.Result, nil
}

// said is the driver's last word, or else the exit code.
func said(log string, err error) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if m, ok := strings.CutPrefix(lines[i], "weir: "); ok {
			return m
		}
	}
	return err.Error()
}
