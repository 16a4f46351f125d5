package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// A Frame is one line of the stream: the newest snapshot, or (Snapshot nil) a beat that says "nothing newer than Seq".
type Frame struct {
	At       time.Time `json:"at"` // when the server wrote it
	Seq      uint64    `json:"seq"`
	Snapshot *Snapshot `json:"snapshot,omitempty"`
}

// stream writes frames until the reader goes away. It never holds more than one snapshot for a reader: while a slow one is
// being written to, changes leave a single token, and the next frame takes whatever is newest then.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	changed, cancel := s.hub.Subscribe()
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	seen := uint64(0) // the first frame always carries a snapshot: Seq starts at 0 only before the first Update
	write := func(full bool) bool {
		f := Frame{At: time.Now()}
		now := s.hub.Snapshot()
		f.Seq = now.Seq
		if full || now.Seq != seen {
			f.Snapshot = now
		}
		line.Reset()
		if enc.Encode(f) != nil {
			return false
		}
		_ = out.SetWriteDeadline(f.At.Add(writeTimeout)) // a reader that takes nothing for so long is gone
		if _, err := w.Write(line.Bytes()); err != nil {
			return false
		}
		seen = now.Seq
		return out.Flush() == nil
	}
	if !write(true) {
		return
	}
	defer func() { // a server that stops still tells its last state: how a run has ended
		if s.hub.Snapshot().Seq != seen {
			write(false)
		}
	}()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			if !write(false) {
				return
			}
		case <-changed:
			if !write(false) {
				return
			}
			// At most MaxFramesPerSecond: what changes meanwhile waits as one token.
			pause.Reset(time.Second / MaxFramesPerSecond)
			select {
			case <-pause.C:
			case <-r.Context().Done():
				return
			}
		}
	}
}
