package workers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"weir/internal/scale"
)

// A Supervisor runs the workers of one job.
type Supervisor struct {
	Config  scale.Config
	Command func() *exec.Cmd // of a worker; stdin and stdout are the supervisor's
	Look    func(ctx context.Context) ([]scale.Partition, error)
	Tell    func(d scale.Decision, w []Row) // after each check
	Drain   bool                            // end when nothing is left to read
	Check   time.Duration                   // default 5 s
	Grace   time.Duration                   // between the order to stop and SIGKILL, default 45 s; a lost worker gets half

	all   map[string]*worker
	next  int
	fails int // workers that ended with an error before they committed anything, in a row
	why   string
	news  chan news
}

// A Row is a worker as people see it.
type Row struct {
	ID, Slot string
	PID      int
	State    string // starting, reading, draining, lost
	Reads    int    // partitions
	Rows     int64
	Commits  int64
	Own      float64 // records/s while it waits for nothing
	Waiting  float64
	Blocked  float64
	Reason   string // why it has to go
}

type worker struct {
	id, slot string
	cmd      *exec.Cmd
	in       io.WriteCloser
	b        beat
	heard    time.Time
	progress time.Time
	gen      int
	granted  []int32
	ready    bool
	gone     bool
	lost     bool
	stopping time.Time // zero: it goes on
	reason   string
}

type news struct {
	w     *worker
	b     beat
	ended bool
}

// Run returns when ctx ends and all workers have stopped, or when workers keep failing.
func (s *Supervisor) Run(ctx context.Context) (err error) {
	if s.Check == 0 {
		s.Check = 5 * time.Second
	}
	if s.Grace == 0 {
		s.Grace = 45 * time.Second
	}
	s.all, s.news = map[string]*worker{}, make(chan news)
	p := scale.New(s.Config)
	defer s.end()
	var partitions []scale.Partition
	for range max(1, s.Config.Min) {
		if err := s.start(nil); err != nil {
			return err
		}
	}
	tick := time.NewTicker(min(s.Check, time.Second))
	defer tick.Stop()
	var checked time.Time
	var assign []scale.Assignment
	for {
		check := false
		select {
		case <-ctx.Done():
			return nil
		case n := <-s.news:
			check = s.hear(n)
		case <-tick.C:
			s.reap()
		}
		if s.fails >= 3*max(1, s.Config.Min) {
			return fmt.Errorf("workers end again and again: %s", s.why)
		}
		if check || time.Since(checked) >= s.Check {
			checked = time.Now()
			seen, err := s.Look(ctx)
			if err != nil { // the workers meet the same error, and try again
				continue
			}
			partitions = seen
			if s.Drain && !slices.ContainsFunc(partitions, func(p scale.Partition) bool { return p.Backlog > 0 }) {
				return nil
			}
			d := p.Decide(scale.Signals{At: checked, Workers: s.signals(), Partitions: partitions})
			if err := s.obey(d); err != nil {
				return err
			}
			assign = d.Assign
			if s.Tell != nil {
				d.Stop = slices.DeleteFunc(d.Stop, func(x scale.Stop) bool { // that one who was told to stop has gone is no news
					w := s.all[x.Worker]
					return w == nil || w.gone && !w.stopping.IsZero()
				})
				s.Tell(d, s.rows())
			}
			for id, w := range s.all {
				if w.gone {
					delete(s.all, id)
				}
			}
		}
		s.grant(assign)
	}
}

func (s *Supervisor) start(excluded []string) error {
	used := slices.Clone(excluded)
	for _, w := range s.all {
		used = append(used, w.slot)
	}
	s.next++
	w := &worker{id: fmt.Sprint("w", s.next), cmd: s.Command(), heard: time.Now(), progress: time.Now()}
	for i := 1; w.slot == "" || slices.Contains(used, w.slot); i++ {
		w.slot = fmt.Sprint(i)
	}
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to the supervisor, which tells them
	if err := w.cmd.Start(); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	s.all[w.id] = w
	news := s.news
	go func() { // ends with the process; end waits for it
		for sc := bufio.NewScanner(out); sc.Scan(); {
			n := newsOf(w, sc.Bytes())
			news <- n
		}
		_ = w.cmd.Wait()
		news <- newsEnded(w)
	}()
	return nil
}

func newsOf(w *worker, line []byte) news {
	n := news{w: w}
	_ = json.Unmarshal(line, &n.b)
	return n
}

func newsEnded(w *worker) news { return news{w: w, ended: true} }

// hear notes what a worker says; true if it asks for a check at once.
func (s *Supervisor) hear(n news) bool {
	w := n.w
	if n.ended {
		w.gone = true
		w.in.Close()
		if w.stopping.IsZero() && w.b.Commits == 0 && w.b.Error != "" {
			s.fails++
			s.why = w.b.Error
		}
		return true
	}
	w.heard = time.Now()
	if n.b.Rows != w.b.Rows || n.b.Commits != w.b.Commits || n.b.Waiting > 0.99 {
		w.progress = w.heard
	}
	if n.b.Commits > 0 {
		s.fails = 0
	}
	was := w.ready
	w.b, w.ready = n.b, true
	return !was
}

// reap kills who was told to stop and did not.
func (s *Supervisor) reap() {
	for _, w := range s.all {
		grace := s.Grace
		if w.lost {
			grace /= 2
		}
		if !w.stopping.IsZero() && !w.gone && time.Since(w.stopping) > grace {
			_ = w.cmd.Process.Kill()
		}
	}
}

func (s *Supervisor) signals() []scale.Worker {
	var out []scale.Worker
	for _, w := range s.sorted() {
		if w.lost && !w.gone {
			continue
		}
		k := scale.Worker{
			ID: w.id, Slot: w.slot, Heard: w.heard, Progress: w.progress, Holds: w.holds(), Speed: w.b.Speed, Own: w.b.Own, Waiting: w.b.Waiting,
			Blocked: w.b.Blocked,
		}
		switch {
		case w.gone:
			k.State = scale.Gone
		case !w.stopping.IsZero():
			k.State = scale.Draining
		case w.ready:
			k.State = scale.Ready
		}
		out = append(out, k)
	}
	return out
}

func (s *Supervisor) sorted() []*worker {
	var out []*worker
	for _, w := range s.all {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b *worker) int { return len(a.id)*1000 - len(b.id)*1000 + cmpString(a.id, b.id) })
	return out
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// holds are the partitions that nobody else may get: those it was given, and those it has not yet let go.
func (w *worker) holds() []int32 {
	out := slices.Clone(w.granted)
	if w.b.Gen != w.gen {
		for _, p := range w.b.Holds {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func (s *Supervisor) obey(d scale.Decision) error {
	for _, x := range d.Stop {
		w := s.all[x.Worker]
		if w == nil || w.gone || !w.stopping.IsZero() && x.How == scale.Drain {
			continue
		}
		w.lost = w.lost || x.How == scale.Kill
		if w.stopping.IsZero() {
			w.stopping, w.reason = time.Now(), x.Reason
			s.order(w, order{Gen: w.gen, Stop: true})
		}
	}
	for range d.Start {
		if err := s.start(d.Excluded); err != nil {
			return err
		}
	}
	return nil
}

// order writes without waiting for the worker: one that is stopped in its tracks does not read, but an order fits its pipe.
func (s *Supervisor) order(w *worker, o order) {
	b, err := json.Marshal(o)
	if err != nil {
		return
	}
	_, _ = w.in.Write(append(b, '\n')) // one that has gone shows as ended
}

// grant tells workers what to read, as far as others have let it go.
func (s *Supervisor) grant(assign []scale.Assignment) {
	for _, a := range assign {
		w := s.all[a.Worker]
		if w == nil || w.gone || w.lost || !w.stopping.IsZero() {
			continue
		}
		var read []int32
		for _, p := range a.Partitions {
			if s.free(p, w) {
				read = append(read, p)
			}
		}
		if !slices.Equal(read, w.granted) {
			if w.b.Gen != w.gen { // it still carries out the last order
				continue
			}
			w.gen++
			w.granted = read
			s.order(w, order{Gen: w.gen, Read: read})
		}
	}
}

func (s *Supervisor) free(p int32, but *worker) bool {
	for _, w := range s.all {
		if w != but && !w.gone && !w.lost && slices.Contains(w.holds(), p) {
			return false
		}
	}
	return true
}

func (s *Supervisor) rows() []Row {
	var out []Row
	for _, w := range s.sorted() {
		r := Row{
			ID: w.id, Slot: w.slot, PID: w.cmd.Process.Pid, State: "reading", Reads: len(w.granted), Rows: w.b.Rows, Commits: w.b.Commits, Own: w.b.Own, Waiting: w.b.Waiting,
			Blocked: w.b.Blocked, Reason: w.reason,
		}
		switch {
		case w.lost || w.gone:
			r.State = "lost"
		case !w.stopping.IsZero():
			r.State = "draining"
		case !w.ready:
			r.State = "starting"
		}
		out = append(out, r)
	}
	return out
}

// end tells all workers to finish their batch, and waits; who does not is killed.
func (s *Supervisor) end() {
	open := 0
	for _, w := range s.all {
		if w.gone {
			continue
		}
		open++
		if w.stopping.IsZero() {
			w.stopping = time.Now()
		}
		w.in.Close()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for open > 0 {
		select {
		case n := <-s.news:
			s.hear(n)
			if n.ended {
				open--
			}
		case <-tick.C:
			s.reap()
		}
	}
}
