package finding

import (
	"bytes"
	_ "embed"
	"io"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
)

//go:embed report.css
var pageStyle string

// WriteHTML writes a report as one self-contained page. It masks secrets, and addresses
// other than those of upstreams.
func (r *Report) WriteHTML(w io.Writer) error {
	summary := r.summary()
	r = newMask(r).report(r)
	var p page
	p.put(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>goodgate doctor: %s</title>
<style>
`, summary)
	p.WriteString(pageStyle)
	p.put(`</style>
</head>
<body>
<main>
<h1>%s</h1>
<p class="faint">goodgate doctor, %s. Secrets and addresses of clients are masked.</p>
`, summary, time.Now().Format("2006-01-02 15:04:05 MST"))
	for _, f := range r.Findings {
		p.finding(f)
	}
	if c := newChart(r.Timeline); c != nil {
		p.chart(c)
	}
	p.list("Not known", r.Unknown)
	p.list("Looked at", r.Looked)
	p.steps(r.Steps)
	p.put("</main>\n</body>\n</html>\n")
	_, err := w.Write(p.Bytes())
	return err
}

// page is a page under construction.
type page struct{ bytes.Buffer }

func (p *page) put(format string, args ...any) { printable.HTML(p, format, args...) }

func (p *page) finding(f Finding) {
	p.put(`<section class="finding %[1]s">
<h3><span class="severity">%[1]s</span> %s`, f.Severity, f.Code)
	if f.Upstream != "" {
		p.put(", upstream %s", f.Upstream)
	}
	p.put("</h3>\n<dl>\n")
	if f.Where != "" {
		p.put("<dt>where</dt><dd>%s</dd>\n", f.Where)
	}
	p.put("<dt>seen</dt><dd>%s%s</dd>\n", f.Seen, when(f))
	p.put("<dt>means</dt><dd>%s (%s)</dd>\n", f.Means, f.sure())
	p.put("<dt>do</dt><dd>%s", f.Do)
	if f.Directive != "" {
		p.put("<pre>")
		for line := range strings.Lines(f.Directive) {
			p.put("%s\n", strings.TrimSuffix(line, "\n"))
		}
		p.put("</pre>")
	}
	p.put("</dd>\n")
	if f.Reason != 0 {
		p.put("<dt>reason</dt><dd>%s</dd>\n", f.Reason)
	}
	p.put("</dl>\n</section>\n")
}

func (p *page) chart(c *chart) {
	p.put(`<h2>Failures in the logs, by cause and upstream</h2>
<div class="chart">
<svg viewBox="0 0 %d %d" role="img" aria-label="How many failures of each cause and upstream came when">
`, c.Width, c.Height)
	for _, t := range c.Ticks {
		p.put(`<line x1="%[1]v" x2="%[1]v" y1="22" y2="%d"/><text class="tick" x="%[1]v" y="16" text-anchor="middle">%[3]s</text>`+"\n", t.X, c.Height, t.Text)
	}
	for _, r := range c.Rows {
		p.put(`<text x="12" y="%d">%s<title>%s %s</title></text>`, r.Text, r.Label, r.Cause, r.Upstream)
		p.put(`<text class="tick" x="322" y="%d" text-anchor="end">%d</text>`+"\n", r.Text, r.Count)
		p.put(`<line x1="330" x2="960" y1="%[1]d" y2="%[1]d"/>`, r.Base)
		for _, b := range r.Bars {
			p.put(`<rect x="%v" y="%v" width="%v" height="%v"><title>%s</title></rect>`, b.X, b.Y, b.Width, b.Height, b.Title)
		}
		p.put("\n")
	}
	p.put("</svg>\n</div>\n<p class=\"faint\">A bar is %s. Each row has its own scale; the number is its total.</p>\n", c.Bucket)
	if c.More > 0 {
		p.put("<p class=\"faint\">and %d more kinds</p>\n", c.More)
	}
}

// list writes a list, nothing if it is empty.
func (p *page) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	p.put("<h2>%s</h2>\n<ul>", title)
	for _, s := range items {
		p.put("<li>%s</li>", s)
	}
	p.put("</ul>\n")
}

func (p *page) steps(steps []Step) {
	if len(steps) == 0 {
		return
	}
	p.put("<details><summary>Every step</summary>\n<table>")
	for _, s := range steps {
		class := ""
		if s.Failed {
			class = ` class="failed"`
		}
		p.WriteString("<tr" + class + ">")
		p.put("<td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>", s.Subject, s.Name, took(s.Took), s.Result)
	}
	p.put("</table></details>\n")
}
