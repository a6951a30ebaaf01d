package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/plot"
	"github.com/goodgate/goodgate/internal/printable"
)

// HTML writes a report on results as one self-contained page. For two results it
// includes their differences.
func HTML(w io.Writer, title string, results []*Result) error {
	var p page
	p.put(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%[1]s</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;width:100%%}td,th{padding:.3em .7em;border-bottom:1px solid #8884;text-align:right}
td:first-child,th:first-child{text-align:left}figure{margin:1.5em 0}td{overflow-wrap:anywhere}svg{width:100%%;height:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>
</head><body><h1>%[1]s</h1>
`, title)
	p.measures(results)
	if len(results) == 2 {
		p.compared(Differences(results[0], results[1]), Remarks(results[0], results[1]))
	}
	for _, c := range charts(results) {
		p.WriteString("<figure>" + c.SVG() + "</figure>\n")
	}
	p.method(results)
	p.put("</body></html>\n")
	_, err := w.Write(p.Bytes())
	return err
}

// page is a page under construction.
type page struct{ bytes.Buffer }

func (p *page) put(format string, args ...any) { printable.HTML(p, format, args...) }

// measures writes the table of all results, and the causes of their failures.
func (p *page) measures(results []*Result) {
	p.put("<table><tr><th></th>")
	for _, r := range results {
		p.put("<th>%s</th>", r.Name)
	}
	p.put("</tr>\n")
	for _, row := range rows(results) {
		p.put("<tr><td>%s</td>", row.Name)
		for _, cell := range row.Cells {
			p.put("<td>%s</td>", cell)
		}
		p.put("</tr>\n")
	}
	p.put("</table>\n")
	for _, r := range results {
		for _, cause := range r.causes() {
			p.put("<p>%s: %d failed: %s</p>\n", r.Name, r.Failures[cause], cause)
		}
	}
}

func (p *page) compared(differences []Difference, remarks []string) {
	if len(differences) == 0 {
		return
	}
	p.put(`<h2>Compared</h2>
<table><tr><th>median of the seconds</th><th>before</th><th>after</th><th>change</th><th>evidence</th></tr>
`)
	for _, d := range differences {
		p.put("<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", d.Name, figure(d.Before), figure(d.After), d.Change, d.Evidence)
	}
	p.put(`</table>
<p>~ stands where the Mann-Whitney test gives the difference 5 %% or more to be chance; n is how many seconds were compared.</p>
`)
	for _, r := range remarks {
		p.put("<p><b>Note:</b> %s</p>\n", r)
	}
}

func (p *page) method(results []*Result) {
	p.put("<h2>Method</h2>\n")
	for _, r := range results {
		p.put("<p><b>%s</b>: %s against %s, %s UTC, %s s;\n", r.Name, r.Load, r.Target, r.Start.UTC().Format(time.DateTime), figure(r.Took))
		p.put("%s/%s, %d CPUs, %s, goodgate %s.</p>\n", r.Machine.OS, r.Machine.Arch, r.Machine.CPUs, r.Machine.Go, r.Machine.Goodgate)
	}
	p.put(`<p>The load is open-loop: a request is due at its moment whether or not earlier ones were answered, and its latency counts from that
moment. Requests without a whole answer are in no latency. No request is sent twice.</p>`)
}

func charts(results []*Result) []plot.Chart {
	list := []plot.Chart{
		chart("Latency distribution", "share of answers that took this long at most", "ms", results, distribution),
		chart("Answered well", "s", "requests a second", results, perSecond(func(s *Second) float64 { return float64(s.Sent - s.Failed) })),
		chart("p99 of each second", "s", "ms", results, perSecond(p99OfSecond)),
	}
	list[0].LogY, list[0].TicksX = true, shares()
	if slices.ContainsFunc(results, func(r *Result) bool { return r.Failed > 0 }) {
		list = append(list, chart("Failed", "s", "requests a second", results, perSecond(func(s *Second) float64 { return float64(s.Failed) })))
	}
	return list
}

// row is one measure in all results.
type row struct {
	Name  string
	Cells []string
}

func rows(results []*Result) (list []row) {
	latency := func(value func(Latency) float64) func(*Result) string {
		return func(r *Result) string {
			if r.Answered() == 0 {
				return "-"
			}
			return figure(value(r.Latency))
		}
	}
	for _, m := range []struct {
		name string
		cell func(*Result) string
	}{
		{"target", func(r *Result) string { return r.Target }},
		{"requests", func(r *Result) string { return strconv.Itoa(r.Requests) }},
		{"successful answers per second", func(r *Result) string { return figure(r.PerSecond()) }},
		{"received a second", func(r *Result) string { return size(r.BytesPerSecond()) }},
		{"statuses", statuses},
		{"failed", func(r *Result) string { return fmt.Sprintf("%d (%.3f %%)", r.Failed, 100*r.FailedShare()) }},
		{"min ms", latency(func(l Latency) float64 { return l.Min })},
		{"mean ms", latency(func(l Latency) float64 { return l.Mean })},
		{"p50 ms", latency(func(l Latency) float64 { return l.P50 })},
		{"p90 ms", latency(func(l Latency) float64 { return l.P90 })},
		{"p99 ms", latency(func(l Latency) float64 { return l.P99 })},
		{"p99.9 ms", latency(func(l Latency) float64 { return l.P999 })},
		{"max ms", latency(func(l Latency) float64 { return l.Max })},
	} {
		r := row{Name: m.name}
		for _, result := range results {
			r.Cells = append(r.Cells, m.cell(result))
		}
		list = append(list, r)
	}
	return list
}

func statuses(r *Result) string {
	var list []string
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		list = append(list, fmt.Sprintf("%d: %d", status, r.Statuses[status]))
	}
	return cmp.Or(strings.Join(list, ", "), "-")
}

// shares returns the ticks for 0, 90, 99 ... % on the axis of the distribution.
func shares() []plot.Tick {
	return []plot.Tick{{At: 0, Text: "0 %"}, {At: math.Log10(2), Text: "50 %"}, {At: 1, Text: "90 %"}, {At: 2, Text: "99 %"}, {At: 3, Text: "99.9 %"}, {At: 4, Text: "99.99 %"}, {At: 5, Text: "99.999 %"}, {At: 6, Text: "99.9999 %"}}
}

// chart returns a chart with one line per result.
func chart(title, x, y string, results []*Result, points func(*Result) [][2]float64) plot.Chart {
	c := plot.Chart{Title: title, X: x, Y: y}
	for _, r := range results {
		c.Lines = append(c.Lines, plot.Line{Name: printable.Text(r.Name), Points: points(r)})
	}
	return c
}

func distribution(r *Result) (pts [][2]float64) {
	for _, q := range r.Distribution {
		if q.Share < 1 {
			pts = append(pts, [2]float64{-math.Log10(1 - q.Share), q.Took})
		}
	}
	return pts
}

// p99OfSecond returns NaN, a gap in the chart, for a second without an answer.
func p99OfSecond(s *Second) float64 {
	if s.Sent == s.Silent {
		return math.NaN()
	}
	return s.Latency.P99
}

func perSecond(value func(*Second) float64) func(*Result) [][2]float64 {
	return func(r *Result) (pts [][2]float64) {
		for i := range r.Seconds {
			pts = append(pts, [2]float64{float64(r.Seconds[i].Second), value(&r.Seconds[i])})
		}
		return pts
	}
}
