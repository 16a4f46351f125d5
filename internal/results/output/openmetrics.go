package output

import (
	"fmt"
	"strings"

	"weir/internal/load"
	"weir/internal/results"
)

// OpenMetrics is the text format 1.0. The run's id stands in loadgen_run_info alone, so that a metric of two runs has one name, as
// GitLab's metrics reports need it.
func OpenMetrics(r results.Report) ([]byte, error) {
	m := metrics{labels: [][2]string{{"profile", r.Name}}}
	m.info("loadgen_run", "The run or comparison.", [2]string{"id", r.ID}, [2]string{"verdict", r.Verdict})
	good := 0.0
	if r.Good {
		good = 1
	}
	m.family("loadgen_good", "gauge", "", "1 if every gate is kept.")
	m.sample("loadgen_good", good)
	if r.Run != nil {
		m.run(r.Run)
	}
	m.family("loadgen_gate", "gauge", "", "1 if the gate is kept.")
	for _, g := range r.Gates {
		v := 0.0
		if g.State == results.Pass || g.State == results.Warn {
			v = 1
		}
		m.sample("loadgen_gate", v, [2]string{"group", g.Group}, [2]string{"gate", g.Name})
	}
	if c := r.Compare; c != nil {
		m.family("loadgen_change_ratio", "gauge", "ratio", "Change of the candidate against the baseline; positive is worse.")
		for _, f := range c.Findings {
			m.sample("loadgen_change_ratio", f.Estimate, [2]string{"metric", f.Metric.Name}, [2]string{"bound", "estimate"})
			m.sample("loadgen_change_ratio", f.From, [2]string{"metric", f.Metric.Name}, [2]string{"bound", "from"})
			m.sample("loadgen_change_ratio", f.To, [2]string{"metric", f.Metric.Name}, [2]string{"bound", "to"})
		}
	}
	m.b.WriteString("# EOF\n")
	return []byte(m.b.String()), nil
}

type metrics struct {
	b      strings.Builder
	labels [][2]string
}

func (m *metrics) run(r *results.Result) {
	s := r.Summary
	for _, c := range []struct {
		name, help string
		v          int64
	}{
		{"loadgen_messages", "Messages sent.", s.Sent}, {"loadgen_acknowledged_messages", "Messages acknowledged.", s.Acked},
		{"loadgen_errors", "Messages without an acknowledgement.", s.Errors}, {"loadgen_dropped_messages", "Messages due, but not sent.", s.Dropped},
	} {
		m.family(c.name, "counter", "", c.help)
		m.sample(c.name+"_total", float64(c.v))
	}
	m.family("loadgen_rate", "gauge", "", "Messages per second, target and achieved.")
	m.sample("loadgen_rate", s.Rate, [2]string{"of", "achieved"})
	if s.Target > 0 {
		m.sample("loadgen_rate", s.Target, [2]string{"of", "target"})
	}
	m.family("loadgen_generator_cpu_seconds", "gauge", "seconds", "CPU time of the generator.")
	m.sample("loadgen_generator_cpu_seconds", s.CPU)
	for _, q := range []struct {
		name, help string
		of         func(load.StageSummary) load.Quantiles
		whole      load.Quantiles
	}{
		{"loadgen_response_seconds", "From the intended send to the acknowledgement.", func(s load.StageSummary) load.Quantiles { return s.Response }, s.Response},
		{"loadgen_service_seconds", "From the real send to the acknowledgement.", func(s load.StageSummary) load.Quantiles { return s.Service }, s.Service},
	} {
		m.family(q.name, "summary", "seconds", q.help)
		m.quantiles(q.name, q.whole, "all")
		for _, st := range r.Stages {
			if len(r.Stages) > 1 {
				m.quantiles(q.name, q.of(st), st.Name)
			}
		}
	}
	if p := r.Proof; p != nil {
		m.family("loadgen_proof_messages", "gauge", "", "Messages by what became of them in the table.")
		for _, x := range []struct {
			what string
			n    int64
		}{{"sent", p.Sent}, {"rows", p.Rows}, {"lost", p.Lost}, {"doubled", p.Doubled}, {"reordered", p.Reordered}, {"altered", p.Altered}, {"quarantined", p.Quarantined}} {
			m.sample("loadgen_proof_messages", float64(x.n), [2]string{"state", x.what})
		}
	}
}

func (m *metrics) quantiles(name string, q load.Quantiles, stage string) {
	if q.Count == 0 {
		return
	}
	for _, x := range []struct {
		q string
		v float64
	}{{"0.5", q.P50}, {"0.9", q.P90}, {"0.99", q.P99}, {"0.999", q.P999}, {"1", q.Max}} {
		m.sample(name, x.v/1000, [2]string{"stage", stage}, [2]string{"quantile", x.q})
	}
	m.sample(name+"_count", float64(q.Count), [2]string{"stage", stage})
}

func (m *metrics) family(name, kind, unit, help string) {
	fmt.Fprintf(&m.b, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(&m.b, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(&m.b, "# HELP %s %s\n", name, help)
}

func (m *metrics) info(name, help string, labels ...[2]string) {
	m.family(name, "info", "", help)
	m.sample(name+"_info", 1, labels...)
}

var labelEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (m *metrics) sample(name string, v float64, labels ...[2]string) {
	m.b.WriteString(name + "{")
	for i, l := range append(m.labels[:len(m.labels):len(m.labels)], labels...) {
		if i > 0 {
			m.b.WriteByte(',')
		}
		fmt.Fprintf(&m.b, `%s="%s"`, l[0], labelEscape.Replace(l[1]))
	}
	fmt.Fprintf(&m.b, "} %s\n", plain(v))
}
