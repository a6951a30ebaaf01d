package main

import (
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goodgate/goodgate/internal/plot"
)

// table is a table of the report.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
}

// tables returns the report as tables.
func (r *report) tables() []table {
	goals := table{"Goals", []string{"goal", "wanted", "measured", ""}, nil}
	for _, g := range r.Goals {
		goals.Rows = append(goals.Rows, []string{g.Name, g.Goal, or(g.Measured, "—"), g.Verdict()})
	}
	loads := table{"Workloads, median of the rounds", []string{"", "CPU µs/request", "× " + yard, "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU of each round"}, nil}
	last := ""
	for _, x := range r.Rows {
		if x.Title != last {
			last = x.Title
			loads.Rows = append(loads.Rows, []string{last})
		}
		loads.Rows = append(loads.Rows, r.cells(x))
	}
	proxies := table{"Proxies", []string{"", "start ms", "binary MB", "at rest MB", "peak MB", "kB/idle client", "allocations/GET", "kB/GET", "p50 at 70 %", "p99 at 70 %", "failed"}, nil}
	for _, name := range r.Peers {
		f := r.fact(name)
		failed := ""
		if len(f.KneeP99) > 0 {
			failed = fmt.Sprintf("%.2f %%", 100*f.KneeFailed)
		}
		proxies.Rows = append(proxies.Rows, []string{name, num("%.0f", median(f.StartMS)), num("%.1f", f.BinaryMB), num("%.1f", median(f.RestMB)), num("%.1f", f.PeakMB),
			num("%.1f", f.IdleKB), num("%.1f", f.Allocs), num("%.2f", f.AllocKB), num("%.2f", median(f.KneeP50)), num("%.2f", median(f.KneeP99)), or(failed, "—")})
	}
	picks := table{"Pick of 10,000 upstreams", []string{"policy", "ns", "allocations"}, nil}
	for name, p := range r.Picks {
		picks.Rows = append(picks.Rows, []string{name, num("%.0f", p.NS), fmt.Sprint(p.Allocs)})
	}
	slices.SortFunc(picks.Rows, slices.Compare)
	return []table{goals, loads, proxies, picks}
}

func (r *report) cells(x *row) []string {
	switch {
	case x.Skipped != "":
		return []string{x.Proxy, "skipped: " + x.Skipped}
	case x.Failed != "":
		return []string{x.Proxy, "FAILED: " + x.Failed}
	}
	ratio := "—"
	if base := r.row(x.Case, yard).of(sample.cpu); base > 0 {
		ratio = fmt.Sprintf("%.2f", x.of(sample.cpu)/base)
	}
	var each strings.Builder
	for _, s := range x.Rounds {
		fmt.Fprintf(&each, " %.1f", s.CPU)
	}
	return []string{x.Proxy, num("%.1f", x.of(sample.cpu)), ratio, num("%.0f", x.of(sample.rate)),
		num("%.2f", x.of(func(s sample) float64 { return s.P50 })), num("%.2f", x.of(sample.p99)),
		num("%.2f", x.of(func(s sample) float64 { return s.P999 })), each.String()}
}

func num(format string, v float64) string {
	if v == 0 {
		return "—"
	}
	return fmt.Sprintf(format, v)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// method describes how the figures were measured.
func (r *report) method() []string {
	list := []string{
		fmt.Sprintf("%s, %s, %s, %d CPUs (%s), %s. The load, the backends and the proxy share the machine.", r.When.UTC().Format("2006-01-02 15:04 UTC"), r.Kernel, r.Machine.Arch, r.Machine.CPUs, r.Processor, r.Machine.Go),
		"Command: " + r.Command,
		fmt.Sprintf("Workloads: %d clients, one request after another each (a closed loop, so p50 to p99.9 are those at full load), %d interleaved rounds of %.1f s. CPU is user and system time of the proxy's processes from /proc, so the load's does not count.", r.Connections, r.Rounds, r.Each),
		fmt.Sprintf("p99 at 70 %%: an open loop at 70 %% of the %.0f requests a second that nginx takes with a p99 below 50 ms; latency counts from the moment a request is due.", r.KneeRate),
		fmt.Sprintf("Backends: 4, 1 or 1,000 sockets of one process that answers without parsing more than it must. goodgate: probes, breaker, retries, hold, commit, access log in a file; HAProxy: probes, no log; nginx: no access log but in its own row (nginx+log), no probes; goodgate+rules: limits, traces of 1 %%, a hashed policy, header rules; Caddy: probes, access log; stock: httputil alone. Allocations are goodgate's with metrics on, counted by the runtime in its own process. Idle clients: %d that asked once, 3 s before. Memory at rest and per idle client is proportional (Pss), the peak is VmHWM of each process added up.", r.Idle),
	}
	for _, name := range r.Peers {
		list = append(list, name+": "+r.Versions[name])
	}
	return list
}

// text writes the report for a terminal.
func (r *report) text(w io.Writer) {
	for _, t := range r.tables() {
		if len(t.Rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n\n", t.Title)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(t.Head, "\t"))
		for _, line := range t.Rows {
			fmt.Fprintln(tw, strings.Join(line, "\t"))
		}
		tw.Flush()
	}
	fmt.Fprintf(w, "\nMethod\n\n%s\n", strings.Join(r.method(), "\n"))
}

// page writes the report as a self-contained page.
func (r *report) page(w io.Writer) error {
	charts := []plot.Chart{
		r.chart("CPU per request of each round, GET 1 kB", "µs", "get1k", sample.cpu),
		r.chart("CPU per request of each round, GET 1 MB", "µs", "get1m", sample.cpu),
		r.chart("Requests a second of each round, GET 1 kB", "1/s", "get1k", sample.rate),
	}
	data := struct {
		Tables []table
		Method []string
		Charts []template.HTML
	}{Tables: r.tables(), Method: r.method()}
	for i := range charts {
		if len(charts[i].Lines) > 0 {
			data.Charts = append(data.Charts, template.HTML(charts[i].SVG()))
		}
	}
	return page.Execute(w, data)
}

func (r *report) chart(title, unit, name string, value func(sample) float64) plot.Chart {
	c := plot.Chart{Title: title, X: "round", Y: unit}
	for _, proxy := range r.Peers {
		x := r.row(name, proxy)
		if x == nil {
			continue
		}
		l := plot.Line{Name: proxy}
		for i, s := range x.Rounds {
			l.Points = append(l.Points, [2]float64{float64(i + 1), value(s)})
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}

var page = template.Must(template.New("report").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Peers side by side</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse}td,th{padding:.25em .7em;border-bottom:1px solid #8884;text-align:right}
td:first-child,th:first-child{text-align:left}figure{margin:1.5em 0}svg{width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>
</head><body><h1>Peers side by side</h1>
{{range .Tables}}{{if .Rows}}<h2>{{.Title}}</h2><table><tr>{{range .Head}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>{{end}}
{{end}}{{range .Charts}}<figure>{{.}}</figure>
{{end}}<h2>Method</h2>
{{range .Method}}<p>{{.}}</p>
{{end}}</body></html>
`))
