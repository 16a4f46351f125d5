package intake

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/internal/notify"
)

// Metrics are what Prometheus reads.
type Metrics struct {
	reg      *prometheus.Registry
	accepted *prometheus.CounterVec
	refused  *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

// NewMetrics makes them; s gives the figures of the outbox, nil: none.
func NewMetrics(s *notify.Service) *Metrics {
	m := &Metrics{
		reg: prometheus.NewRegistry(),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_notify_events_accepted_total", Help: "Events that are on the disk, by input. The same event twice counts twice.",
		}, []string{"input"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_notify_events_refused_total", Help: "Requests, files, records or messages that were not accepted: bad ones can never be, failed ones come again.",
		}, []string{"input", "reason"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_notify_accept_duration_seconds", Help: "Time from an event's arrival until it was on the disk.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5},
		}, []string{"input"}),
	}
	m.reg.MustRegister(m.accepted, m.refused, m.latency, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s != nil {
		m.reg.MustRegister(outboxFigures{s})
	}
	return m
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 10 * time.Second})
}

// took notes how a request, a file, a record or a message has ended.
func (m *Metrics) took(input string, n int, d time.Duration, err error) {
	if m == nil {
		return
	}
	switch {
	case err == nil:
		m.accepted.WithLabelValues(input).Add(float64(n))
		m.latency.WithLabelValues(input).Observe(d.Seconds())
	case hopeless(err):
		m.refused.WithLabelValues(input, "bad").Inc()
	case !errors.Is(err, context.Canceled):
		m.refused.WithLabelValues(input, "failed").Inc()
	}
}

// outboxFigures asks the outbox at each scrape.
type outboxFigures struct{ s *notify.Service }

var (
	descSends      = prometheus.NewDesc("weir_notify_sends_total", "Calls to channels, by their result: ok or the class of the failure.", []string{"channel", "result"}, nil)
	descDeliveries = prometheus.NewDesc("weir_notify_deliveries", "Deliveries (one per channel, or a thread reply) in the outbox, by state.", []string{"state"}, nil)
	descUnrouted   = prometheus.NewDesc("weir_notify_events_unrouted", "Accepted events that are not routed yet.", nil, nil)
	descWaiting    = prometheus.NewDesc("weir_notify_channel_waiting", "Deliveries that have still to leave, by channel.", []string{"channel"}, nil)
	descBlocked    = prometheus.NewDesc("weir_notify_channel_blocked", "1 if the channel refuses everything: token, permission, archived.", []string{"channel"}, nil)
	descOldest     = prometheus.NewDesc("weir_notify_oldest_wait_seconds", "Age of the oldest thing that has still to leave.", nil, nil)
)

func (outboxFigures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSends, descDeliveries, descUnrouted, descWaiting, descBlocked, descOldest} {
		ch <- d
	}
}

func (f outboxFigures) Collect(ch chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	st, err := f.s.Status(ctx, 1)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descOldest, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for state, n := range map[string]int64{
		"sent": st.Sent, "waiting": st.Waiting, "held": st.Held, "unknown": st.Unknown, "dead": st.Dead, "superseded": st.Superseded,
	} {
		gauge(descDeliveries, float64(n), state)
	}
	gauge(descUnrouted, float64(st.Unrouted))
	gauge(descOldest, st.OldestWait.Seconds())
	for _, c := range st.Channels {
		gauge(descWaiting, float64(c.Waiting), c.Name)
		blocked := 0.0
		if c.State == "blocked" {
			blocked = 1
		}
		gauge(descBlocked, blocked, c.Name)
	}
	sends, err := f.s.Sends(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descSends, err)
		return
	}
	for _, x := range sends {
		ch <- prometheus.MustNewConstMetric(descSends, prometheus.CounterValue, float64(x.N), x.Channel, x.Result)
	}
}
