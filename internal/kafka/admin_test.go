package kafka

import (
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

func TestEnsureTopicLeavesWhatIsThere(t *testing.T) {
	cl := connect(t, serve(t, t.TempDir()).Addr())
	for _, n := range []int{3, 3, 5} {
		if err := EnsureTopic(t.Context(), cl, "a", n); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, parts, err := Identity(t.Context(), cl, "a"); err != nil || parts != 3 {
		t.Errorf("%d partitions, %v; want 3", parts, err)
	}
}

func TestPositions(t *testing.T) {
	cl := connect(t, serve(t, t.TempDir()).Addr())
	if err := EnsureTopic(t.Context(), cl, "a", 3); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, 0, 31, nil)
	var cut kadm.Offsets
	cut.AddOffset("a", 1, 4, -1)
	if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	starts, err := Starts(t.Context(), cl, "a")
	if want := map[int32]int64{0: 0, 1: 4, 2: 0}; err != nil || !maps.Equal(starts, want) {
		t.Errorf("starts %v, %v; want %v", starts, err, want)
	}
	ends, err := Ends(t.Context(), cl, "a")
	if want := map[int32]int64{0: 11, 1: 10, 2: 10}; err != nil || !maps.Equal(ends, want) {
		t.Errorf("ends %v, %v; want %v", ends, err, want)
	}
}

func TestATopicMadeAgainIsAnotherOne(t *testing.T) {
	cl := connect(t, serve(t, t.TempDir()).Addr())
	var ids []string
	for range 2 {
		if err := EnsureTopic(t.Context(), cl, "a", 1); err != nil {
			t.Fatal(err)
		}
		_, id, _, err := Identity(t.Context(), cl, "a")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		if _, err := kadm.NewClient(cl).DeleteTopic(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0] == ids[1] || len(ids[0]) != 22 { // 16 bytes as Kafka spells them
		t.Errorf("ids %v", ids)
	}
}

func TestATopicThatIsNotThereIsNamed(t *testing.T) {
	cl := connect(t, serve(t, t.TempDir()).Addr())
	_, _, _, err := Identity(t.Context(), cl, "nosuch")
	if err == nil || err.Error() != "topic nosuch does not exist" {
		t.Errorf("identity: %v", err)
	}
	if _, err = Ends(t.Context(), cl, "nosuch"); err == nil || !strings.Contains(err.Error(), "topic nosuch does not exist") {
		t.Errorf("ends: %v", err)
	}
}
