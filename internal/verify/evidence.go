package verify

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Evidence names one message that is not as it should be.
type Evidence struct {
	Kind      string `json:"kind"` // lost, doubled, reordered, altered, quarantined, unknown
	Shard     int32  `json:"shard"`
	Seq       int64  `json:"seq"`
	Topic     string `json:"topic,omitempty"` // of the row; a lost message has none before it is looked for
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Detail    string `json:"detail,omitempty"`
}

func (e Evidence) String() string {
	s := fmt.Sprintf("%s: shard %d seq %d", e.Kind, e.Shard, e.Seq)
	if e.Topic != "" {
		s += fmt.Sprintf(" at %s[%d]@%d", e.Topic, e.Partition, e.Offset)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// most is how many of each kind are named.
const most = 10

// witnesses counts what is wrong and keeps the first of each kind.
type witnesses struct {
	mu     sync.Mutex
	counts map[string]int64
	all    map[string][]Evidence
	gone   []Gone
}

func newWitnesses() *witnesses {
	return &witnesses{counts: map[string]int64{}, all: map[string][]Evidence{}}
}

func (w *witnesses) add(e Evidence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[e.Kind]++
	if len(w.all[e.Kind]) < most {
		w.all[e.Kind] = append(w.all[e.Kind], e)
	}
}

// lack notes a file that is not there, once.
func (w *witnesses) lack(g Gone) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.gone, g) {
		w.gone = append(w.gone, g)
	}
}

func (w *witnesses) files() []Gone {
	slices.SortFunc(w.gone, func(a, b Gone) int { return strings.Compare(a.Path, b.Path) })
	return w.gone
}

func (w *witnesses) evidence() []Evidence {
	var all []Evidence
	for _, kind := range []string{"lost", "doubled", "altered", "reordered", "quarantined", "unknown"} {
		all = append(all, w.all[kind]...)
	}
	slices.SortStableFunc(all, func(a, b Evidence) int {
		if a.Kind != b.Kind || a.Shard != b.Shard {
			return 0
		}
		return int(a.Seq - b.Seq)
	})
	return all
}
