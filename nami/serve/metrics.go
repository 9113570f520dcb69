package serve

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a batcher and its handler count.
type metrics struct {
	collectors []prometheus.Collector

	requests *prometheus.CounterVec   // by path and status
	seconds  *prometheus.HistogramVec // by path
	computed *prometheus.CounterVec   // events, by kind
	dropped  *prometheus.CounterVec   // events, by kind
	fill     *prometheus.HistogramVec // events of a batch that were asked for, by its size
	batches  *prometheus.HistogramVec // seconds, by kind and size
}

func newMetrics(b *Batcher) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "nami", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "nami", Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		requests: counter("requests_total", "Requests that were answered, or whose client left or didn't take the answer (status 499).", "path", "status"),
		seconds: histogram("request_seconds", "Time from a request's header to the end of its answer.",
			prometheus.ExponentialBuckets(0.001, 2, 17), "path"),
		computed: counter("events_total", "Events that were computed for a caller.", "kind"),
		dropped:  counter("events_dropped_total", "Events that were asked for, and not computed as the caller had left.", "kind"),
		fill: histogram("batch_filled", "The part of a batch's events that was asked for; the rest fills it up.",
			prometheus.LinearBuckets(0.1, 0.1, 10), "size"),
		batches: histogram("batch_seconds", "Time to compute a batch.", prometheus.ExponentialBuckets(0.001, 2, 15), "kind", "size"),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "nami", Name: "queue_events", Help: "Events that wait to be computed."}, func() float64 {
		b.mu.Lock()
		defer b.mu.Unlock()
		return float64(b.events)
	})
	m.collectors = []prometheus.Collector{m.requests, m.seconds, m.computed, m.dropped, m.fill, m.batches, waiting}
	return m
}

// batch counts a batch that was computed.
func (m *metrics) batch(k kind, pieces []piece, size int, took time.Duration) {
	asked := 0
	for _, p := range pieces {
		asked += p.n
	}
	label := strconv.Itoa(size)
	m.computed.WithLabelValues(k.String()).Add(float64(asked))
	m.fill.WithLabelValues(label).Observe(float64(asked) / float64(size))
	m.batches.WithLabelValues(k.String(), label).Observe(took.Seconds())
}

// Describe implements [prometheus.Collector].
func (b *Batcher) Describe(out chan<- *prometheus.Desc) {
	for _, c := range b.metrics.collectors {
		c.Describe(out)
	}
}

// Collect implements [prometheus.Collector]: a program with metrics of its own registers the
// batcher with them.
func (b *Batcher) Collect(out chan<- prometheus.Metric) {
	for _, c := range b.metrics.collectors {
		c.Collect(out)
	}
}
