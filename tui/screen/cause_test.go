package screen

import (
	"strings"
	"testing"

	"weir/internal/control"
)

// What stops a stream is told before what slows it down, and a stream that is not behind has no cause.
func TestTheCauseOfADelay(t *testing.T) {
	hot := &control.Hot{Partition: 3, Share: 0.63, InPerSec: 21_900}
	team := &control.Team{Verdict: "downstream is slow", Reason: "storage answers slowly", Workers: []control.Worker{{ID: "w1"}}}
	for name, c := range map[string]struct {
		stream control.Stream
		want   string // empty: none
	}{
		"an error":                  {control.Stream{State: control.Failed, Error: "boom", Hot: hot, BehindSeconds: 99}, "boom"},
		"a broker that is silent":   {control.Stream{State: control.Running, WaitsFor: control.WaitsForBroker, Hot: hot}, "waiting for the broker"},
		"a commit that hangs":       {control.Stream{State: control.Running, WaitsFor: control.WaitsForCatalog, Hot: hot, BehindSeconds: 99}, "waiting for the catalog"},
		"a hot partition":           {control.Stream{State: control.Running, Hot: hot, Team: team, BehindSeconds: 99}, "hot partition 3 has 63"},
		"the verdict on the team":   {control.Stream{State: control.Running, Team: team, BehindSeconds: 99}, "storage answers slowly"},
		"no workers":                {control.Stream{State: control.Running, Team: &control.Team{}, BehindSeconds: 99}, "no worker reads it"},
		"memory":                    {control.Stream{State: control.Running, WaitsFor: control.WaitsForMemory, HeldBytes: 64 << 20, BehindSeconds: 99}, "waiting for memory: 67 MB"},
		"more comes than goes":      {control.Stream{State: control.Running, InPerSec: 92_100, OutPerSec: 52_000, BehindSeconds: 99}, "more comes than goes: +40.1k/s"},
		"nothing goes":              {control.Stream{State: control.Running, InPerSec: 10, BehindSeconds: 99}, "nothing is committed"},
		"it catches up":             {control.Stream{State: control.Running, InPerSec: 10, OutPerSec: 99, BehindSeconds: 99}, ""},
		"a batch behind is no lag":  {control.Stream{State: control.Running, InPerSec: 99, OutPerSec: 10, BehindSeconds: 9}, ""},
		"it was stopped on purpose": {control.Stream{State: control.Stopped, InPerSec: 99, BehindSeconds: 9999}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := cause(&c.stream)
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
