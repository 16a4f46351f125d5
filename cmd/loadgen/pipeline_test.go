package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/registry"
)

// TestMain is loadgen itself where a script of a test asks for it in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("WEIR_TEST_ACTS_AS") == "loadgen" {
		os.Exit(cli.Main("loadgen", newCommand))
	}
	os.Exit(m.Run())
}

// fakePipeline is the shell command of a pipeline that makes rows of a topic readable each age; more are variables for it.
func fakePipeline(topic string, age time.Duration, more ...string) string {
	command := fmt.Sprintf("env WEIR_TEST_TOPIC=%s WEIR_TEST_AGE=%v", topic, age)
	for _, m := range more {
		command += " " + m
	}
	return command + " " + os.Args[0] + " -test.run='^TestIsAPipeline$'"
}

// TestIsAPipeline is the pipeline of a comparison, in a process of its own: it serves broker and registry if nobody does, and puts
// what is on a topic into the table of that name, until SIGINT. WEIR_TEST_HOLD is how long it holds rows back, WEIR_TEST_LOSES leaves
// out a message.
func TestIsAPipeline(t *testing.T) {
	topic, loses := os.Getenv("WEIR_TEST_TOPIC"), os.Getenv("WEIR_TEST_LOSES")
	if topic == "" {
		t.Skip("only as a child of other tests")
	}
	age, err := time.ParseDuration(os.Getenv("WEIR_TEST_AGE"))
	if err != nil {
		t.Fatal(err)
	}
	hold := time.Duration(0)
	if h := os.Getenv("WEIR_TEST_HOLD"); h != "" {
		if hold, err = time.ParseDuration(h); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pr, err := project.Open(".", os.Getenv("WEIR_HOME"))
	if err != nil {
		t.Fatal(err)
	}
	if _, alive := pr.Announced(); !alive {
		k, err := kafka.ServeEmbedded(ctx, "127.0.0.1:0", pr.In("kafka"))
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		r, err := registry.ServeEmbedded(ctx, "127.0.0.1:0", pr.In("registry.json"))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := pr.Announce(project.Embedded{Brokers: k.Addr(), Registry: r.URL()}); err != nil {
			t.Fatal(err)
		}
	}
	k, _, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kafka.Connect(k, kgo.ConsumeTopics(topic), kgo.FetchMaxWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 2, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Fatal(err)
	}
	lk, err := lake.Open(ctx, pr.Lake())
	if err != nil {
		t.Fatal(err)
	}
	defer lk.Close()
	tbl, schema := ensure(t, lk, topic)
	for n := 0; ; {
		round, done := context.WithTimeout(ctx, age)
		var records []*kgo.Record
		for round.Err() == nil {
			records = append(records, cl.PollFetches(round).Records()...)
		}
		done()
		if ctx.Err() != nil {
			return
		}
		if len(records) > 0 {
			held, done := context.WithTimeout(ctx, hold)
			<-held.Done()
			done()
			if loses != "" {
				records, loses = records[1:], ""
			}
			commit(t, tbl, schema, records, n)
			n++
		}
	}
}

const abProfile = `apiVersion: weir/v1
kind: LoadProfile
name: ab
warmup: %s
rate: {stages: [{target: %s, duration: %s}]}
topic: {name: bank.ab, partitions: 2}
verify: {destination: {drain_timeout: 20s}}
`

// ab is the file of a short profile for comparisons.
func ab(t *testing.T, warmup, rate, duration string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ab.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, abProfile, warmup, rate, duration), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
