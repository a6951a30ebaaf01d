package finding

import (
	"fmt"
	"slices"
	"time"
)

// Positions in a chart, in pixels.
const (
	chartLeft  = 330
	chartRight = 960
	chartRow   = 34
	chartTop   = 28
	chartBarY  = 24 // height of the highest bar
	leastWide  = 2
	leastHigh  = 3
	mostBars   = 128
	maxRows    = 40
)

// chart shows the number of failures over time, by cause and upstream.
type chart struct {
	Width, Height int
	Bucket        string // the duration of a bar, as text
	Rows          []chartRowOf
	Ticks         []chartTick
	More          int // rows left out
}

// chartRowOf is the row of one kind of failure.
type chartRowOf struct {
	Span
	Label      string
	Text, Base int // y positions of its text and of the foot of its bars
	Bars       []chartBar
}

type chartBar struct {
	X, Y, Width, Height float64
	Title               string
}

type chartTick struct {
	X    float64
	Text string
}

// shortened cuts a label to the width beside the bars.
func shortened(s string) string {
	const room = 44
	if r := []rune(s); len(r) > room {
		return string(r[:room-1]) + "…"
	}
	return s
}

// newChart returns nil if no failure has a time.
func newChart(spans []Span) *chart {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return s.First.IsZero() })
	if len(spans) == 0 {
		return nil
	}
	c := &chart{Width: chartRight + 40, More: max(0, len(spans)-maxRows)}
	spans = spans[:min(len(spans), maxRows)]
	a := axisOf(spans)
	c.Bucket = a.width.String()
	for i, s := range spans {
		y := chartTop + i*chartRow
		row := chartRowOf{Span: s, Label: shortened(s.Cause + " " + s.Upstream), Text: y + 22, Base: y + chartRow - 4}
		row.Bars = a.bars(s, row.Base)
		c.Rows = append(c.Rows, row)
	}
	const ticks = 4
	for i := range ticks + 1 {
		at := a.first.Add(a.whole() * time.Duration(i) / ticks)
		c.Ticks = append(c.Ticks, chartTick{a.x(at), at.Format(a.layout())})
	}
	c.Height = chartTop + len(spans)*chartRow + 8
	return c
}

// axis is the time axis of a chart, in buckets of equal width.
type axis struct {
	first time.Time
	n     int // number of buckets
	width time.Duration
}

func axisOf(spans []Span) axis {
	first, last := spans[0].First, spans[0].Last
	width := time.Second
	for _, s := range spans {
		if s.First.Before(first) {
			first = s.First
		}
		if s.Last.After(last) {
			last = s.Last
		}
		width = max(width, s.Width)
	}
	for last.Sub(first) >= (mostBars-1)*width {
		width *= 2
	}
	first = first.Truncate(width)
	return axis{first, int(last.Sub(first)/width) + 1, width}
}

func (a axis) whole() time.Duration { return time.Duration(a.n) * a.width }

func (a axis) x(at time.Time) float64 {
	return chartLeft + (chartRight-chartLeft)*at.Sub(a.first).Seconds()/a.whole().Seconds()
}

func (a axis) layout() string {
	if a.whole() > 20*time.Hour {
		return "01-02 15:04"
	}
	return "15:04:05"
}

// counts returns the counts of a row in the chart's buckets.
func (a axis) counts(s Span) []int64 {
	counts := make([]int64, a.n)
	at := func(t time.Time) *int64 { return &counts[min(max(int(t.Sub(a.first)/a.width), 0), a.n-1)] }
	if len(s.Buckets) == 0 { // only the first and the last time are known
		*at(s.First) = max(1, s.Count)
		return counts
	}
	for i, n := range s.Buckets {
		*at(s.Start.Add(time.Duration(i)*s.Width + s.Width/2)) += int64(n)
	}
	return counts
}

func (a axis) bars(s Span, base int) (bars []chartBar) {
	counts := a.counts(s)
	most := slices.Max(counts)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		from := a.first.Add(time.Duration(i) * a.width)
		b := chartBar{X: a.x(from), Height: max(leastHigh, chartBarY*float64(n)/float64(most)), Title: fmt.Sprintf("%s: %d", from.Format(time.DateTime), n)}
		b.Width = max(leastWide, (chartRight-chartLeft)/float64(a.n)-1)
		b.Y = float64(base) - b.Height
		bars = append(bars, b)
	}
	return bars
}
