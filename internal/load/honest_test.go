package load

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/config"
)

// The broker is a process that is stopped for 600 ms in the middle of a steady load. Messages that were due in those 600 ms wait
// between 0 and 600 ms: the share that waits longer than any x is known by arithmetic.
func TestStallIsSeenWholeFromTheIntendedTime(t *testing.T) {
	cmd, addr := child(t, "broker", "WEIR_TEST_DIR="+t.TempDir())
	const rate, stall = 2000, 600 * time.Millisecond
	p := profile("2000", 4*rate/2)
	var stopped atomic.Bool
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connectTo(addr), Register: register, Progress: func(g Progress) {
		if g.Elapsed > 600*time.Millisecond && g.Final == nil && !stopped.Swap(true) {
			_ = cmd.Process.Signal(syscall.SIGSTOP)
			time.AfterFunc(stall, func() { _ = cmd.Process.Signal(syscall.SIGCONT) })
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Errors > 0 || sum.Verdict != VerdictPass {
		t.Fatalf("got %s (%s) with %d errors", sum.Verdict, sum.Reason, sum.Errors)
	}
	// A busy machine makes it longer, never shorter.
	if sum.Max < 560 {
		t.Errorf("max: got %.0f ms, want about 600 ms", sum.Max)
	}
	// 30 % of the 2 s; so p90 lies a third into the stall: 0.1 × 2 s are still behind it.
	if want := 400.0; sum.Response.P90 < want-120 {
		t.Errorf("p90: got %.0f ms, want about %.0f ms", sum.Response.P90, want)
	}
	if sum.Response.P50 > 200 {
		t.Errorf("p50: got %.0f ms, want a few ms", sum.Response.P50)
	}
}

// With a small window the client itself stops sending while the broker stalls: from the send the stall is nearly invisible, from
// the intended time it is whole, and the run says that it did not keep its schedule. Time is virtual.
func TestFullWindowHidesNothingAndIsInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stack kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var produced atomic.Int64
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if produced.Add(1) == 100 {
				c.SleepControl(func() { time.Sleep(2 * time.Second) })
			}
			return nil, nil, false
		})
		p := profile("1000", 10_000)
		p.MaxInFlight = 200
		p.Topic.Partitions = 1
		linger := config.Duration(time.Millisecond)
		p.Producer.Linger = &linger
		sum, err := Run(t.Context(), Options{
			Profile: p, Home: t.TempDir(), Register: register, nap: time.Sleep,
			Connect: func(o ...kgo.Opt) (*kgo.Client, error) {
				return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if sum.Acked != 10_000 || math.Abs(sum.Response.Max-2000) > 50 {
			t.Errorf("got %d acknowledged, response max %.0f ms; want 10000, about 2000 ms", sum.Acked, sum.Response.Max)
		}
		if sum.Service.P90 > 100 || sum.Response.P90 < 800 {
			t.Errorf("service p90 %.0f ms, response p90 %.0f ms; want a few ms and about 1000 ms: the full window hides the stall from the send", sum.Service.P90, sum.Response.P90)
		}
		if sum.Verdict != VerdictInvalid || !strings.Contains(sum.Reason, "window of 200 messages in flight was full") {
			t.Errorf("got %s: %s; want invalid, because of the full window", sum.Verdict, sum.Reason)
		}
	})
}

func TestRateThatTheMachineCannotKeepIsInvalid(t *testing.T) {
	c := broker(t)
	p := profile("1", 200_000)
	p.Rate.Stages[0].Target.PerSecond = 50e6
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictInvalid || !strings.Contains(sum.Reason, "of the target rate") {
		t.Errorf("got %s: %s; want invalid: nobody sends 50 M/s", sum.Verdict, sum.Reason)
	}
}

func TestRateIsHeld(t *testing.T) {
	c := broker(t)
	sum, err := Run(t.Context(), Options{Profile: profile("2000", 3000), Home: t.TempDir(), Connect: connect(c), Register: register})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(sum.Rate/2000-1) > 0.01 || sum.Verdict != VerdictPass {
		t.Errorf("got %.1f/s, %s (%s); want 2000/s within 1 %%", sum.Rate, sum.Verdict, sum.Reason)
	}
}

func TestStopEndsInOrder(t *testing.T) {
	c, home := broker(t), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sum, err := Run(ctx, Options{Profile: profile("5000", 1_000_000), Home: home, Connect: connect(c), Register: register, Progress: func(p Progress) {
		if p.Sent > 1000 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictInterrupted || sum.Sent == 0 || sum.Sent != sum.Acked || sum.Errors != 0 {
		t.Errorf("got %+v; want interrupted, everything sent acknowledged", sum)
	}
	m, err := ReadManifest(home, sum.Run)
	if err != nil || m.State != Interrupted || m.Shards[0].Reserved != uint64(sum.Sent) {
		t.Errorf("manifest: got %+v, %v", m, err)
	}
}

// refuse answers every produce request, from the nth on, with an error.
func refuse(c *kfake.Cluster, nth int64, code int16) {
	var seen atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if seen.Add(1) < nth {
			return nil, nil, false
		}
		req := r.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

func TestRefusedWarmUpEndsTheRun(t *testing.T) {
	c := broker(t)
	refuse(c, 1, kerr.TopicAuthorizationFailed.Code)
	_, err := Run(t.Context(), Options{Profile: profile("1000", 1000), Home: t.TempDir(), Connect: connect(c), Register: register})
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("got %v, want %v", err, kerr.TopicAuthorizationFailed)
	}
}

func TestErrorsAreCountedByCause(t *testing.T) {
	c, home := broker(t), t.TempDir()
	refuse(c, 60, kerr.TopicAuthorizationFailed.Code)
	sum, err := Run(t.Context(), Options{Profile: profile("4000", 2000), Home: home, Connect: connect(c), Register: register, Senders: 2})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictFailed || sum.Errors == 0 || sum.Acked == 0 || sum.Errors+sum.Acked != 2000 || sum.Causes["TOPIC_AUTHORIZATION_FAILED"] != sum.Errors {
		t.Errorf("got %+v; want failed, some errors of one cause, 2000 outcomes", sum)
	}
	m, err := ReadManifest(home, sum.Run)
	if err != nil {
		t.Fatal(err)
	}
	acked := int64(0)
	for i := range m.Shards {
		for seq := range m.Shards[i].Sent {
			if m.Shards[i].Acked(seq) {
				acked++
			}
		}
	}
	if acked != sum.Acked {
		t.Errorf("the manifest knows %d acknowledged messages, the summary %d", acked, sum.Acked)
	}
}

func TestNothingIsSentBeyondTheReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, senders := newSession(1, ShardOf{}, testMix(t), 260)
		senders[0].limit.Store(5)
		if !senders[0].reserve(t.Context(), 4) {
			t.Fatal("a reserved message had to wait")
		}
		passed := make(chan bool, 1)
		go func() { passed <- senders[0].reserve(t.Context(), 5) }()
		synctest.Wait()
		select {
		case <-passed:
			t.Fatal("a message beyond the reservation did not wait for the manifest")
		case <-s.needMan: // the writer of the manifest is woken
		}
		senders[0].limit.Store(6)
		senders[0].granted <- struct{}{}
		if !<-passed {
			t.Error("a granted message was not let through")
		}
	})
}

func TestRunThatCannotStartSaysWhy(t *testing.T) {
	c := broker(t)
	never := profile("1000", 1000)
	never.Topic.Create = "never"
	if _, err := Run(t.Context(), Options{Profile: never, Home: t.TempDir(), Connect: connect(c), Register: register}); !errors.Is(err, ErrNoTopic) {
		t.Errorf("got %v, want %v", err, ErrNoTopic)
	}
	down := func(context.Context, string, string) (int, error) {
		return 0, errors.New("the registry does not answer")
	}
	_, err := Run(t.Context(), Options{Profile: profile("1000", 1000), Home: t.TempDir(), Connect: connect(c), Register: down})
	if err == nil || err.Error() != "register schema bank.transactions-value: the registry does not answer" {
		t.Errorf("got %v", err)
	}
	_, err = Run(t.Context(), Options{Profile: profile("1000", 1000), Home: "/dev/null/home", Connect: connect(c), Register: register})
	if err == nil || !strings.HasPrefix(err.Error(), "manifest: ") {
		t.Errorf("home that cannot be written: got %v", err)
	}
}
