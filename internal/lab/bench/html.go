package bench

import (
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/goodgate/goodgate/internal/plot"
	"github.com/goodgate/goodgate/internal/printable"
)

// HTML writes a report on results as one page that needs nothing else.
func HTML(w io.Writer, title string, results []*Result) error {
	charts := []plot.Chart{
		chart("Latency distribution", "share of requests: 1 = 90 %, 2 = 99 %, 3 = 99.9 % took this long at most", "ms", results, distribution),
		chart("Answered well", "s", "requests a second", results, perSecond(func(s *Second) float64 { return float64(s.Sent - s.Failed) })),
		chart("p99 of each second", "s", "ms", results, perSecond(func(s *Second) float64 { return s.Latency.P99 })),
		chart("Failed", "s", "requests a second", results, perSecond(func(s *Second) float64 { return float64(s.Failed) })),
	}
	charts[0].LogY = true
	data := struct {
		Title   string
		Results []*Result
		Charts  []template.HTML
	}{Title: title, Results: results}
	for i := range charts {
		data.Charts = append(data.Charts, template.HTML(charts[i].SVG()))
	}
	return page.Execute(w, data)
}

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(v float64) string { return fmt.Sprintf("%.3f %%", 100*v) },
	"number":  func(v float64) string { return fmt.Sprintf("%.2f", v) },
	"text":    printable.Text,
}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.3em .7em;border-bottom:1px solid #8884;text-align:right}
td:first-child,th:first-child{text-align:left}figure{margin:1.5em 0}svg{width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>
</head><body><h1>{{.Title}}</h1>
<table><tr><th>run</th><th>requests</th><th>answered/s</th><th>failed</th><th>p50 ms</th><th>p90 ms</th><th>p99 ms</th><th>p99.9 ms</th><th>max ms</th></tr>
{{range .Results}}<tr><td>{{text .Name}}</td><td>{{.Requests}}</td><td>{{number .PerSecond}}</td><td>{{percent .FailedShare}}</td><td>{{number .Latency.P50}}</td><td>{{number .Latency.P90}}</td><td>{{number .Latency.P99}}</td><td>{{number .Latency.P999}}</td><td>{{number .Latency.Max}}</td></tr>
{{end}}</table>
{{range .Charts}}<figure>{{.}}</figure>
{{end}}<h2>Method</h2>
{{range .Results}}<p><b>{{text .Name}}</b>: {{text .Load}} against {{text .Target}}, {{.Start.UTC.Format "2006-01-02 15:04:05"}} UTC, {{number .Took}} s;
{{text .Machine.OS}}/{{text .Machine.Arch}}, {{.Machine.CPUs}} CPUs, {{text .Machine.Go}}, goodgate {{text .Machine.Goodgate}}.</p>
{{end}}<p>The load is open-loop: a request is due at its moment whether or not earlier ones were answered, and its latency counts from that
moment. No request is sent twice.</p></body></html>
`))

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
