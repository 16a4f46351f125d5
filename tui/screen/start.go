package screen

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/control"
)

// StartKeys begin a run, a comparison or a search. They work on every screen; the profile is the one that Profiles has selected.
func (pf *Profiles) StartKeys() []Key {
	with := func(what string, do func(name string) Intent) func() Intent {
		return func() Intent {
			name := pf.Selected()
			if name == "" {
				return Intent{Screen: pf.Name(), Say: "choose the profile first, then " + what}
			}
			if d := pf.drafts[name]; d != nil && d.dirty() {
				return d.saveThen(pf, func() Intent { return do(pf.Selected()) })
			}
			return do(name)
		}
	}
	return []Key{
		{Press: []string{"R"}, Label: "R", Hint: "R run", Help: "run the selected profile: load as it says", Verb: control.VerbLoadStart, Do: with("R", pf.run)},
		{Press: []string{"C"}, Label: "C", Help: "compare two builds under the selected profile", Verb: control.VerbCompareStart, Do: with("C", pf.compare)},
		{Press: []string{"F"}, Label: "F", Help: "find the capacity: the highest rate that keeps limits", Verb: control.VerbSearchStart, Do: with("F", pf.search)},
	}
}

// saveThen asks to save first: what runs is what lies on the disk.
func (d *draft) saveThen(pf *Profiles, then func() Intent) Intent {
	out := d.save(pf)
	if out.Verb == "" { // it cannot be saved, or asks for a name first
		return out
	}
	out.Confirm = d.File + " is not saved: save it, and go on?"
	after := out.Then
	out.Then = func(err error) Intent {
		i := after(err)
		if err != nil || d.dirty() {
			return i
		}
		next := then()
		if next.Say == "" {
			next.Say = i.Say
		}
		return next
	}
	return out
}

// run asks once, with what will happen.
func (pf *Profiles) run(name string) Intent {
	words := ""
	if v, old, _ := pf.current(); v != nil && !old && v.Error == "" {
		words = ": " + volumeText(v) + " into " + v.Topic
	}
	got := new(control.Launch)
	return Intent{
		Verb: control.VerbLoadStart, Args: map[string]string{"profile": name}, Into: got, Quiet: true,
		Confirm: "run " + name + words + "?",
		Then: func(err error) Intent {
			if err != nil {
				return Intent{Say: "not started: " + err.Error(), Bad: true}
			}
			return Intent{Screen: "Load", Say: fmt.Sprintf("started as process %d; leaving stops nothing; output in %s", got.PID, got.Log)}
		},
	}
}

// launch sends a form's values, and shows there why it was not started.
func launch(f *Form, verb string, args map[string]any, screen string) Intent {
	got := new(control.Launch)
	return Intent{Verb: verb, Args: args, Into: got, Quiet: true, Then: func(err error) Intent {
		if err != nil {
			return f.Refused(err)
		}
		return Intent{Close: true, Screen: screen, Say: fmt.Sprintf("started as process %d; output in %s", got.PID, got.Log)}
	}}
}

func (pf *Profiles) compare(name string) Intent {
	f := &Form{
		Name: "Compare two builds under " + name, Verb: "start",
		About: "Pairs of runs side by side on this machine, each with a fresh home. Each command serves one build until SIGINT. It takes about twice as many runs as pairs; leaving the screens stops nothing.",
		Entries: []Entry{
			{Name: "baseline", Help: "command, as ./main/pipeline run transactions; empty: weir.yaml's"},
			{Name: "candidate", Help: "command of the build under test; empty: weir.yaml's"},
			{Name: "pairs", Help: "1 to 12; empty: as many as it needs", Check: func(s string) string {
				if n, err := strconv.Atoi(s); s != "" && (err != nil || n < 1 || n > 12) {
					return "want 1 to 12"
				}
				return ""
			}},
		},
	}
	f.Do = func(v []string) Intent {
		pairs, _ := strconv.Atoi(v[2]) // it was checked
		return launch(f, control.VerbCompareStart, map[string]any{"profile": name, "baseline": v[0], "candidate": v[1], "pairs": pairs}, "")
	}
	return Intent{Dialog: f}
}

func (pf *Profiles) search(name string) Intent {
	f := &Form{
		Name: "Find the capacity of what " + name + " loads", Verb: "start",
		About: "Runs at constant rates, doubled until a limit is not kept, then halved between. A pipeline has to fill the table meanwhile where freshness, lag or lost are among the limits. It ends before max time; leaving the screens stops nothing.",
		Entries: []Entry{
			{Name: "limits", Help: "all must be kept, as p99<100ms, freshness<30s, lost=0", Input: NewInput("p99<100ms"), Check: func(s string) string {
				if strings.TrimSpace(s) == "" {
					return "want one limit at least"
				}
				return ""
			}},
			{Name: "from", Help: "the first and lowest rate, as 500/s or 1MiB/s", Input: NewInput("1k/s")},
			{Name: "to", Help: "the highest rate; empty: a thousand times the first"},
			{Name: "trial", Help: "length of a trial, after its warm-up", Input: NewInput("30s")},
			{Name: "max time", Help: "no trial begins that would end later", Input: NewInput("30m")},
		},
	}
	f.Do = func(v []string) Intent {
		return launch(f, control.VerbSearchStart, map[string]any{"profile": name, "slo": v[0], "from": v[1], "to": v[2], "trial": v[3], "max_time": v[4]}, "")
	}
	return Intent{Dialog: f}
}
