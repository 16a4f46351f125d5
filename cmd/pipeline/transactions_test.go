package main

import (
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/prove"
)

const aborting = `apiVersion: weir/v1
kind: LoadProfile
name: aborting
rate: {stages: [{target: 20k/s}]}
volume: {messages: 20k}
topic: {name: bank.transactions, partitions: 3}
producer: {transaction: {messages: 100, abort: 20%}}
`

// A fifth of the transactions is aborted: the pipeline reads past them, and the proof says of each message where it must be.
func TestAbortedTransactionsAreNowhere(t *testing.T) {
	y := newYard(t, streamJob)
	p, err := load.Parse(filepath.Join(y.dir, "aborting.yaml"), []byte(aborting))
	y.ok(err)
	sum, err := load.Run(t.Context(), load.Options{
		Profile: p, Home: y.home(), Register: y.reg.Register,
		Connect: func(o ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(y.kafka, o...) },
	})
	y.ok(err)
	if sum.Errors > 0 || sum.Acked != 20_000 || sum.Aborted < 2500 || sum.Aborted > 5500 {
		t.Fatalf("got %+v, want about a fifth of 20,000 aborted", sum)
	}
	c, out := y.pipeline("run", "transactions", "--until-caught-up", "--json")
	if err := within(t, c); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(y.home(), "catalog.db"), Warehouse: filepath.Join(y.home(), "warehouse")})
	y.ok(err)
	defer l.Close()
	v, err := prove.Run(t.Context(), y.home(), sum.Run, "", l, nil)
	y.ok(err)
	if !v.Good() || !v.Drained || v.Aborted != sum.Aborted || v.Rows != sum.Acked-sum.Aborted || v.Sent != v.Rows {
		t.Errorf("%d aborted: %+v", sum.Aborted, v)
	}
}
