// Package fake has servers that speak the real protocols of Slack and SNS, remember what they have acknowledged, and can lie
// on purpose: refuse, stall, or die after they have taken the message. Only tests import it.
package fake

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// A Fault is how a server treats one call.
type Fault string

// The faults.
const (
	None      Fault = ""
	TooMany   Fault = "429"                // refused, with Retry-After
	Refuse500 Fault = "500"                // refused
	Accept500 Fault = "500 but accepted"   // taken, but the answer is an error
	AcceptCut Fault = "cut but accepted"   // taken, but the connection drops
	Cut       Fault = "cut"                // the connection drops before anything was taken
	Hang      Fault = "hang"               // taken, but no answer until the client gives up
	Garbage   Fault = "garbage"            // refused with a page of HTML
	BadAuth   Fault = "auth"               // the token or key is refused
	TooBig    Fault = "message is refused" // the message's fault
)

// Faults decides how each call is treated. Its methods may be used from any goroutine.
type Faults struct {
	mu         sync.Mutex
	next       []Fault
	rates      map[Fault]float64
	rng        *rand.Rand
	RetryAfter time.Duration // what TooMany says; 0: one second
	Delay      time.Duration // between taking a message and answering; set it before the first call
	Skew       time.Duration // of the server's clock against the right one; set it before the first call
}

// date tells the time by the server's clock.
func (f *Faults) date(w http.ResponseWriter) {
	if f.Skew != 0 {
		w.Header().Set("Date", time.Now().Add(f.Skew).UTC().Format(http.TimeFormat))
	}
}

// Next treats the coming calls so, one after the other.
func (f *Faults) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, faults...)
}

// Random treats each further call by chance: rates says how probable each fault is.
func (f *Faults) Random(seed uint64, rates map[Fault]float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rng, f.rates = rand.New(rand.NewPCG(seed, 0)), rates
}

func (f *Faults) draw() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) > 0 {
		fault := f.next[0]
		f.next = f.next[1:]
		return fault
	}
	if f.rng == nil {
		return None
	}
	x := f.rng.Float64()
	for _, fault := range []Fault{TooMany, Refuse500, Accept500, AcceptCut, Cut, Garbage, SlowDown} { // a fixed order: a seed means the same each time
		if x -= f.rates[fault]; x < 0 {
			return fault
		}
	}
	return None
}

// cut drops the connection without an answer.
func cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			_ = c.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

func (f *Faults) retryAfter() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.RetryAfter == 0 {
		return "1"
	}
	return itoa(int(f.RetryAfter / time.Second))
}
