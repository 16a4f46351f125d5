package load

import (
	"math"
	"testing"

	"weir/internal/config"
	"weir/internal/content"
	"weir/internal/stamp"
)

// Messages that are out of order on purpose stand behind later ones of their key; all others keep their order, and none is missing.
func TestOutOfOrderMessagesStandBehindTheirKey(t *testing.T) {
	const messages = 20_000
	for name, transactions := range map[string]config.Count{"plain": 0, "in transactions": 500} {
		t.Run(name, func(t *testing.T) {
			c, home := broker(t), t.TempDir()
			p := profile("20000", messages)
			p.Key.Cardinality, p.Key.Field = 50, "account_id"
			p.Faults.OutOfOrder, p.Faults.Duplicate = 0.02, 0.02
			p.Producer.Transaction.Messages = transactions
			sum, err := Run(t.Context(), Options{Profile: p, Home: home, Connect: connect(c), Register: register, Senders: 2})
			if err != nil {
				t.Fatal(err)
			}
			m, err := ReadManifest(home, "last")
			if err != nil {
				t.Fatal(err)
			}
			mix, err := m.Mix()
			if err != nil {
				t.Fatal(err)
			}
			w, shards := mix.Writer(), uint64(len(m.Shards))
			type key struct {
				shard int32
				key   string
			}
			seen, high, ordinary := map[uint64]bool{}, map[key]int64{}, map[[2]int32]int64{}
			purposely, held := 0, 0
			for _, r := range consume(t, c, messages) {
				st, _ := stamp.Parse(r.Headers[0].Value)
				n := uint64(st.Seq)*shards + uint64(st.Shard)
				if seen[n] {
					t.Fatalf("message %d is there twice", n)
				}
				seen[n] = true
				if want := w.Datum(nil, n, st.Intended); string(want) != string(r.Value[5:]) {
					t.Fatalf("message %d is not what its number decides", n)
				}
				fault, _ := mix.Fate(n)
				k := key{st.Shard, string(r.Key)}
				if fault == content.OutOfOrder {
					if held++; high[k] > st.Seq {
						purposely++
					}
				} else {
					lane := [2]int32{r.Partition, st.Shard}
					if last, ok := ordinary[lane]; ok && last > st.Seq {
						t.Fatalf("partition %d: message %d is out of order and should not be", r.Partition, n)
					}
					ordinary[lane] = st.Seq
				}
				high[k] = max(high[k], st.Seq)
				if !m.Shards[st.Shard].Acked(uint64(st.Seq)) {
					t.Fatalf("message %d is not acknowledged in the manifest", n)
				}
			}
			if len(seen) != messages || sum.Sent != messages || sum.Faults[content.OutOfOrder] != int64(held) {
				t.Errorf("%d messages, sent %d; %d out of order, the summary says %v", len(seen), sum.Sent, held, sum.Faults)
			}
			// Of transactions of 500 messages and 50 keys each, few end before the key comes again.
			if share := float64(held) / messages; math.Abs(share-0.02) > 0.004 || float64(purposely) < 0.8*float64(held) {
				t.Errorf("%d of %d are out of order, want 2 %%; %d stand behind a later one of their key", held, messages, purposely)
			}
		})
	}
}
