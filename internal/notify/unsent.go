package notify

import (
	"maps"
	"slices"
)

// A Silent channel is one that did not get an event, and why.
type Silent struct {
	Channel string `json:"channel"`
	Reason  string `json:"reason"`
}

// silent says why the channels of units.yaml that have no delivery of an event have none: as the routes are now, and as they
// were decided about when the event was routed.
func (s *Service) silent(x Explanation) []Silent {
	out := []Silent{}
	for _, name := range slices.Sorted(maps.Keys(s.channels)) {
		if !slices.ContainsFunc(x.Deliveries, func(d DeliveryDetail) bool { return d.Channel == name }) {
			out = append(out, Silent{name, s.whyNot(name, x)})
		}
	}
	return out
}

func (s *Service) whyNot(name string, x Explanation) string {
	if !x.Routed {
		return "not routed yet: no sender has run since"
	}
	for _, d := range x.Decisions { // what was decided about all, or about this one
		if d.Action == "suppressed" && (d.Channel == "" || d.Channel == name) {
			return d.Reason
		}
	}
	if isNotice(x.Outcome) {
		if x.Outcome.Kind == kindDigest {
			return "the digest is for another channel"
		}
		return "it is not a fallback, or it is what this notice is about"
	}
	if why := s.routeOut(s.rules.routes, name, x.Decisions); why != "" {
		return why
	}
	if slices.Contains(s.rules.def, name) {
		return "default: a route had matched"
	}
	return "no route names it"
}

// routeOut finds the route that names the channel, and what had come before it.
func (s *Service) routeOut(routes []route, name string, decided []Decision) string {
	for _, r := range routes {
		at := slices.IndexFunc(decided, func(d Decision) bool { return d.Path == r.path && (d.Action == "matched" || d.Action == "passed over") })
		if why := s.routeOut(r.routes, name, decided); why != "" && at >= 0 && decided[at].Action == "matched" {
			return why
		}
		if !names(r, name) {
			continue
		}
		switch {
		case at < 0:
			return r.path + ": an earlier route had matched"
		case decided[at].Action == "passed over":
			return r.path + ": " + decided[at].Reason
		case slices.Contains(r.to, name):
			return r.path + ": a finer route had matched in its place"
		}
	}
	return ""
}

// names reports whether the route or one of its children names the channel.
func names(r route, name string) bool {
	return slices.Contains(r.to, name) || slices.ContainsFunc(r.routes, func(k route) bool { return names(k, name) })
}
