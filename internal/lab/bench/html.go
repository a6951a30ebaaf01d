package bench

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/plot"
	"github.com/goodgate/goodgate/internal/printable"
)

// HTML writes a report on results as one page that needs nothing else. Of two results it
// says how the second differs from the first.
func HTML(w io.Writer, title string, results []*Result) error {
	charts := []plot.Chart{
		chart("Latency distribution", "share of answers that took this long at most", "ms", results, distribution),
		chart("Answered well", "s", "requests a second", results, perSecond(func(s *Second) float64 { return float64(s.Sent - s.Failed) })),
		chart("p99 of each second", "s", "ms", results, perSecond(func(s *Second) float64 { return s.Latency.P99 })),
	}
	charts[0].LogY, charts[0].TicksX = true, shares()
	if slices.ContainsFunc(results, func(r *Result) bool { return r.Failed > 0 }) {
		charts = append(charts, chart("Failed", "s", "requests a second", results, perSecond(func(s *Second) float64 { return float64(s.Failed) })))
	}
	data := struct {
		Title       string
		Results     []*Result
		Rows        []row
		Differences []Difference
		Remarks     []string
		Charts      []template.HTML
	}{Title: title, Results: results, Rows: rows(results)}
	if len(results) == 2 {
		data.Differences, data.Remarks = Differences(results[0], results[1]), Remarks(results[0], results[1])
	}
	for i := range charts {
		data.Charts = append(data.Charts, template.HTML(charts[i].SVG()))
	}
	return page.Execute(w, data)
}

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"number": figure,
	"causes": (*Result).causes,
	"text":   printable.Text,
}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.3em .7em;border-bottom:1px solid #8884;text-align:right}
td:first-child,th:first-child{text-align:left}figure{margin:1.5em 0}td{overflow-wrap:anywhere}svg{width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>
</head><body><h1>{{.Title}}</h1>
<table><tr><th></th>{{range .Results}}<th>{{text .Name}}</th>{{end}}</tr>
{{range .Rows}}<tr><td>{{.Name}}</td>{{range .Cells}}<td>{{text .}}</td>{{end}}</tr>
{{end}}</table>
{{range $r := .Results}}{{range causes $r}}<p>{{text $r.Name}}: {{index $r.Failures .}} failed: {{text .}}</p>
{{end}}{{end}}{{if .Differences}}<h2>Compared</h2>
<table><tr><th>median of the seconds</th><th>before</th><th>after</th><th>change</th><th>evidence</th></tr>
{{range .Differences}}<tr><td>{{.Name}}</td><td>{{number .Before}}</td><td>{{number .After}}</td><td>{{.Change}}</td><td>{{.Evidence}}</td></tr>
{{end}}</table>
<p>~ stands where the Mann-Whitney test gives the difference 5 % or more to be chance; n is how many seconds were compared.</p>
{{range .Remarks}}<p><b>Note:</b> {{text .}}</p>
{{end}}{{end}}{{range .Charts}}<figure>{{.}}</figure>
{{end}}<h2>Method</h2>
{{range .Results}}<p><b>{{text .Name}}</b>: {{text .Load}} against {{text .Target}}, {{.Start.UTC.Format "2006-01-02 15:04:05"}} UTC, {{number .Took}} s;
{{text .Machine.OS}}/{{text .Machine.Arch}}, {{.Machine.CPUs}} CPUs, {{text .Machine.Go}}, goodgate {{text .Machine.Goodgate}}.</p>
{{end}}<p>The load is open-loop: a request is due at its moment whether or not earlier ones were answered, and its latency counts from that
moment. Requests without a whole answer are in no latency. No request is sent twice.</p></body></html>
`))

// row is one measure of all results.
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
		{"answered well a second", func(r *Result) string { return figure(r.PerSecond()) }},
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

// shares are the places of 0, 90, 99 ... % on the axis of the distribution.
func shares() []plot.Tick {
	return []plot.Tick{{At: 0, Text: "0 %"}, {At: math.Log10(2), Text: "50 %"}, {At: 1, Text: "90 %"}, {At: 2, Text: "99 %"}, {At: 3, Text: "99.9 %"}, {At: 4, Text: "99.99 %"}, {At: 5, Text: "99.999 %"}, {At: 6, Text: "99.9999 %"}}
}

// chart draws one line a result.
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

func perSecond(value func(*Second) float64) func(*Result) [][2]float64 {
	return func(r *Result) (pts [][2]float64) {
		for i := range r.Seconds {
			pts = append(pts, [2]float64{float64(r.Seconds[i].Second), value(&r.Seconds[i])})
		}
		return pts
	}
}
