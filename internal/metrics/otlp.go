//go:build !minimal

package metrics

import (
	"log/slog"
	"math"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goodgate/goodgate/internal/otlp"
)

// Numbers of fields in OTLP's metrics.proto.
const (
	scopeMetrics     = 2 // ScopeMetrics.metrics
	metricGauge      = 5 // Metric.gauge, and so on
	metricSum        = 7
	metricHistogram  = 9
	metricSummary    = 11
	pointAttributes  = 7 // of NumberDataPoint and SummaryDataPoint
	histogramLabels  = 9 // HistogramDataPoint.attributes
	cumulativeValues = 2 // AGGREGATION_TEMPORALITY_CUMULATIVE
)

// appendFamily appends a metric with all its series, under Prometheus' name. Counters
// become monotonic sums and histograms have explicit bounds, all of them cumulative since
// the series' own start, else since started.
func appendFamily(b []byte, f *dto.MetricFamily, started, now time.Time) []byte {
	b, start := otlp.Open(b, scopeMetrics)
	b = otlp.AppendString(b, 1, f.GetName())
	b = otlp.AppendString(b, 2, f.GetHelp())
	if unit := unitOf(f.GetName()); unit != "" {
		b = otlp.AppendString(b, 3, unit)
	}
	kind := map[dto.MetricType]protowire.Number{
		dto.MetricType_COUNTER: metricSum, dto.MetricType_HISTOGRAM: metricHistogram, dto.MetricType_SUMMARY: metricSummary,
	}[f.GetType()]
	if kind == 0 {
		kind = metricGauge
	}
	b, data := otlp.Open(b, kind)
	for _, m := range f.Metric {
		var point int
		b, point = otlp.Open(b, 1)
		b = appendPoint(b, kind, m, started, now)
		b = otlp.Close(b, point)
	}
	if kind == metricSum || kind == metricHistogram {
		b = otlp.AppendInt(b, 2, cumulativeValues)
	}
	if kind == metricSum {
		b = otlp.AppendInt(b, 3, 1) // monotonic
	}
	return otlp.Close(otlp.Close(b, data), start)
}

// appendPoint appends the content of a data point.
func appendPoint(b []byte, kind protowire.Number, m *dto.Metric, started, now time.Time) []byte {
	labels := protowire.Number(pointAttributes)
	switch kind {
	case metricSum:
		b = appendTimes(b, m.GetCounter().GetCreatedTimestamp().AsTime(), started, now)
		b = otlp.AppendFloat(b, 4, m.GetCounter().GetValue())
	case metricHistogram:
		labels = histogramLabels
		b = appendHistogram(b, m.GetHistogram(), started, now)
	case metricSummary:
		s := m.GetSummary()
		b = appendTimes(b, s.GetCreatedTimestamp().AsTime(), started, now)
		b = otlp.AppendFixed64(b, 4, s.GetSampleCount())
		b = otlp.AppendFloat(b, 5, s.GetSampleSum())
		for _, q := range s.Quantile {
			var begin int
			b, begin = otlp.Open(b, 6)
			b = otlp.AppendFloat(otlp.AppendFloat(b, 1, q.GetQuantile()), 2, q.GetValue())
			b = otlp.Close(b, begin)
		}
	default:
		v := m.GetGauge().GetValue()
		if m.Untyped != nil {
			v = m.GetUntyped().GetValue()
		}
		b = otlp.AppendTime(b, 3, now)
		b = otlp.AppendFloat(b, 4, v)
	}
	for _, l := range m.Label {
		b = otlp.AppendAttr(b, labels, l.GetName(), slog.StringValue(l.GetValue()))
	}
	return b
}

// appendHistogram appends counts of single buckets, of which Prometheus has the sums. The
// last bucket has no bound.
func appendHistogram(b []byte, h *dto.Histogram, started, now time.Time) []byte {
	b = appendTimes(b, h.GetCreatedTimestamp().AsTime(), started, now)
	b = otlp.AppendFixed64(b, 4, h.GetSampleCount())
	b = otlp.AppendFloat(b, 5, h.GetSampleSum())
	finite := h.Bucket
	if n := len(finite); n > 0 && math.IsInf(finite[n-1].GetUpperBound(), 1) {
		finite = finite[:n-1]
	}
	below := uint64(0)
	b, counts := otlp.Open(b, 6)
	for _, bucket := range finite {
		b = protowire.AppendFixed64(b, bucket.GetCumulativeCount()-below)
		below = bucket.GetCumulativeCount()
	}
	b = otlp.Close(protowire.AppendFixed64(b, h.GetSampleCount()-below), counts)
	b, bounds := otlp.Open(b, 7)
	for _, bucket := range finite {
		b = protowire.AppendFixed64(b, math.Float64bits(bucket.GetUpperBound()))
	}
	return otlp.Close(b, bounds)
}

// appendTimes appends the start of the counting, and the time of the value.
func appendTimes(b []byte, created, started, now time.Time) []byte {
	if created.Before(started) { // also without one
		created = started
	}
	return otlp.AppendTime(otlp.AppendTime(b, 2, created), 3, now)
}

// unitOf returns the unit (UCUM) that a name of Prometheus ends with.
func unitOf(name string) string {
	name = strings.TrimSuffix(name, "_total")
	switch name[strings.LastIndexByte(name, '_')+1:] {
	case "seconds":
		return "s"
	case "bytes":
		return "By"
	case "ratio":
		return "1"
	}
	return ""
}
