package finding

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"slices"
	"time"
)

//go:embed report.html
var pageText string

// WriteHTML writes a report as one page that needs nothing else. Secrets, and
// addresses that are no upstream's, are masked.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"when": when, "sure": Finding.sure, "took": took}).Parse(pageText)
	if err != nil {
		return err
	}
	page := htmlPage{Report: newMask(r).report(r), Made: time.Now().Format("2006-01-02 15:04:05 MST")}
	page.Summary = r.summary()
	page.Chart = newChart(page.Timeline)
	var b bytes.Buffer // nothing is written of a page that fails
	if err := t.Execute(&b, page); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

type htmlPage struct {
	*Report
	Made    string
	Summary string
	Chart   *chart
}

// Where things are in a chart, in pixels.
const (
	chartLeft  = 330
	chartRight = 960
	chartRow   = 26
	chartTop   = 28
	leastBar   = 4
	maxRows    = 40
)

// chart shows from when to when failures of each cause and upstream came.
type chart struct {
	Width, Height int
	Rows          []chartBar
	Ticks         []chartTick
	More          int // rows that are left out
}

type chartBar struct {
	Span
	Label    string
	Y, Text  int
	X, Width float64
}

type chartTick struct {
	X    float64
	Text string
}

// shortened cuts a label at what has room beside the bars.
func shortened(s string) string {
	const room = 44
	if r := []rune(s); len(r) > room {
		return string(r[:room-1]) + "…"
	}
	return s
}

// newChart returns nil when no failure has a time.
func newChart(spans []Span) *chart {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return s.First.IsZero() })
	if len(spans) == 0 {
		return nil
	}
	first, last := spans[0].First, spans[0].Last
	for _, s := range spans {
		if s.First.Before(first) {
			first = s.First
		}
		if s.Last.After(last) {
			last = s.Last
		}
	}
	c := &chart{Width: chartRight + 40, More: max(0, len(spans)-maxRows)}
	spans = spans[:min(len(spans), maxRows)]
	whole := max(last.Sub(first), time.Second)
	x := func(at time.Time) float64 {
		return chartLeft + (chartRight-chartLeft)*at.Sub(first).Seconds()/whole.Seconds()
	}
	for i, s := range spans {
		y := chartTop + i*chartRow
		c.Rows = append(c.Rows, chartBar{Span: s, Label: shortened(s.Cause + " " + s.Upstream), Y: y + 5, Text: y + 18, X: x(s.First), Width: max(leastBar, x(s.Last)-x(s.First))})
	}
	layout := "15:04:05"
	if whole > 20*time.Hour {
		layout = "01-02 15:04"
	}
	const ticks = 4
	for i := range ticks + 1 {
		at := first.Add(whole * time.Duration(i) / ticks)
		c.Ticks = append(c.Ticks, chartTick{x(at), at.Format(layout)})
	}
	c.Height = chartTop + len(spans)*chartRow + 8
	return c
}
