package load

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"weir/internal/content"
)

// Each manifest, whenever it is written, counts the messages below the seqs that it calls sent, neither more nor less, and no message
// is acknowledged that it does not call sent: whoever goes on with the run counts on from there.
func TestEachManifestCountsWhatItCallsSent(t *testing.T) {
	for rate, messages := range map[string]int{"max": 400_000, "100000": 200_000} {
		t.Run(rate, func(t *testing.T) {
			c, p := broker(t), profile(rate, messages)
			p.Faults = content.Faults{OutOfOrder: 0.02, Duplicate: 0.02}
			o := Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register, Senders: 2, Live: NewLive(), Run: ulid.Make(), Log: slog.New(slog.DiscardHandler)}
			mix, streams, err := o.content(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.fit(mix.MeanSize())
			client, err := o.Connect(p.clientOptions()...)
			if err != nil {
				t.Fatal(err)
			}
			r, err := newRun(o, mix, mix.MeanSize(), client)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.prepare(t.Context(), 0, &p.parts()[0], streams[0].Spec); err != nil {
				t.Fatal(err)
			}
			ended, over := context.WithCancel(t.Context())
			go func() {
				defer over()
				if sum, err := r.do(t.Context()); err != nil || sum.Acked != int64(messages) {
					t.Errorf("%d acknowledged, %v", sum.Acked, err)
				}
			}()
			seen, last := 0, time.Time{}
			for ended.Err() == nil {
				select {
				case r.needMan <- struct{}{}:
				case <-time.After(time.Millisecond): // real time: a broker is a server
				}
				m, err := ReadManifest(o.Home, r.manifest.Run)
				if err != nil || m.Written.Equal(last) || len(m.Streams) == 0 {
					continue
				}
				seen, last = seen+1, m.Written
				var sent uint64
				for i := range m.Shards {
					s := &m.Shards[i]
					sent += s.Sent
					if a := s.set(); a.top > s.Sent {
						t.Fatalf("shard %d: seq %d is acknowledged, those below %d have been sent", i, a.top-1, s.Sent)
					}
				}
				if got := m.Streams[0].Messages; got != int64(sent) {
					t.Fatalf("manifest %d counts %d messages and calls %d sent", seen, got, sent)
				}
			}
			if seen < 5 {
				t.Errorf("only %d manifests", seen)
			}
		})
	}
}
