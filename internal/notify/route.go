package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/outcome"
)

// A Decision is one step of routing an event, kept for `explain`.
type Decision struct {
	Path    string `json:"path"`              // routes[0].routes[1], default, fallback
	When    string `json:"when,omitempty"`    // the expression
	Action  string `json:"action"`            // matched, passed over, sent to, suppressed
	Channel string `json:"channel,omitempty"` // of "sent to"
	Reason  string `json:"reason,omitempty"`  // of "passed over" and "suppressed"
}

// A target is a channel that gets an event.
type target struct{ channel, mention string }

type route struct {
	path, mention string
	when          expr
	to            []string
	also          bool
	routes        []route
}

// rules are the parts of units.yaml that decide about an event, ready to use.
type rules struct {
	routes   []route
	fallback []string
	def      []string
	units    map[string]UnitCfg
}

func compile(u Units) (rules, error) {
	routes, err := compileRoutes("routes", u.Routes, "")
	return rules{routes, u.Fallback, u.Default, u.Units}, err
}

func compileRoutes(path string, in []Route, mention string) ([]route, error) {
	var out []route
	for i, r := range in {
		at := fmt.Sprintf("%s[%d]", path, i)
		when, err := parseExpr(r.When)
		if err != nil {
			return nil, fmt.Errorf("%s.when: %w", at, err)
		}
		ping := cmp.Or(r.Mention, mention)
		kids, err := compileRoutes(at+".routes", r.Routes, ping)
		if err != nil {
			return nil, err
		}
		out = append(out, route{at, ping, when, r.To, r.Also, kids})
	}
	return out, nil
}

// unitOf gives the unit an event belongs to: the one that it names, or else the one that lists the job.
func (r rules) unitOf(o outcome.Outcome) string {
	if _, ok := r.units[o.Unit]; ok {
		return o.Unit
	}
	for _, name := range slices.Sorted(maps.Keys(r.units)) {
		if strings.EqualFold(name, o.Unit) {
			return name
		}
		if o.Unit != "" {
			continue // it names a unit that we do not know: its job may only have a namesake here
		}
		for _, g := range r.units[name].Jobs {
			if glob(g, o.Job) || o.Namespace != "" && glob(g, o.Namespace+"/"+o.Job) {
				return name
			}
		}
	}
	return o.Unit
}

// route says where an event goes, and why.
func (r rules) route(o outcome.Outcome) ([]target, []Decision) {
	if isNotice(o) {
		return r.notice(o)
	}
	w := walk{f: factsOf(o)}
	if !w.into(r.routes) {
		w.send("default", r.def, "")
	}
	return w.targets, w.decisions
}

// notice goes to the fallback, except to the channel that it is about.
func (r rules) notice(o outcome.Outcome) ([]target, []Decision) {
	var w walk
	for _, c := range r.fallback {
		if c != o.Job {
			w.send("fallback", []string{c}, "")
		}
	}
	if len(w.targets) == 0 {
		w.decisions = append(w.decisions, Decision{Path: "fallback", Action: "suppressed", Reason: "units.yaml names no other channel as fallback"})
	}
	return w.targets, w.decisions
}

type walk struct {
	f         facts
	targets   []target
	decisions []Decision
}

// into tries routes in their order and reports whether one has matched.
func (w *walk) into(routes []route) bool {
	matched := false
	for _, r := range routes {
		ok, why := r.when.eval(w.f)
		if !ok {
			w.decisions = append(w.decisions, Decision{Path: r.path, When: r.when.String(), Action: "passed over", Reason: why})
			continue
		}
		w.decisions = append(w.decisions, Decision{Path: r.path, When: r.when.String(), Action: "matched"})
		hit := w.into(r.routes)
		if !hit && len(r.to) > 0 {
			w.send(r.path, r.to, r.mention)
			hit = true
		}
		if !hit {
			continue // only a bracket around finer routes, none of which wanted it
		}
		matched = true
		if !r.also {
			return true
		}
	}
	return matched
}

func (w *walk) send(path string, channels []string, mention string) {
	for _, c := range channels {
		if !slices.ContainsFunc(w.targets, func(t target) bool { return t.channel == c }) {
			w.targets = append(w.targets, target{c, mention})
			w.decisions = append(w.decisions, Decision{Path: path, Action: "sent to", Channel: c})
		}
	}
}
