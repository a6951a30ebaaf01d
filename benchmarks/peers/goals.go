package main

import "fmt"

// goal is a target for goodgate, with the measured value.
type goal struct {
	Name     string  `json:"name"`
	Goal     string  `json:"goal"`
	Measured string  `json:"measured"` // empty = not measured
	Met      bool    `json:"met"`
	Value    float64 `json:"value"`
}

// judge compares the results with the goals. A figure of 0 was not measured.
func (r *report) judge() {
	f, rows := r.fact(subject), r.row
	over := func(name, a, b string, of func(sample) float64) float64 {
		base := rows(name, b).of(of)
		if base == 0 {
			return 0
		}
		return rows(name, a).of(of) / base
	}
	ratio := func(name, title string, most float64) {
		r.most(title+": CPU per request, × nginx", over(name, subject, yard, sample.cpu), most, "%.2f ×")
	}
	ratio("get1k", "GET 1 kB", 1.4)
	ratio("post10k", "POST 10 kB", 1.4)
	ratio("get100k", "GET 100 kB", 0.75)
	ratio("get1m", "GET 1 MB", 0.45)
	ratio("tls", "GET 1 kB by TLS", 1.2)
	ratio("newconn", "GET 1 kB, a new connection each", 1.5)
	ratio("http2", "GET 1 kB by HTTP/2 over TLS", 2)
	r.most("GET 1 kB with limits, traces, a hashed policy and header rules, × plain: CPU per request", over("get1k", subject+"+"+ruled, subject, sample.cpu), 1.25, "%.2f ×")
	r.least("GET 1 kB, requests a second, × nginx", over("get1k", subject, yard, sample.rate), 0.75, "%.2f ×")
	r.most("GET 1 kB, p99 of a closed loop, × nginx", over("get1k", subject, yard, sample.p99), 1.3, "%.2f ×")
	p99 := 0.0
	if base := median(r.fact(yard).KneeP99); base > 0 {
		p99 = median(f.KneeP99) / base
	}
	r.most("p99 at 70 % of nginx's knee, × nginx", p99, 2, "%.2f ×")
	r.most("allocations per plain GET, whole process", f.Allocs, 4, "%.1f")
	r.most("bytes of these", f.AllocKB, 1, "%.2f kB")
	slowest, allocs := "", 0.0
	for name, p := range r.Picks {
		if slowest == "" || p.NS > r.Picks[slowest].NS {
			slowest = name
		}
		allocs = max(allocs, p.Allocs)
	}
	r.most("pick of 10,000, slowest policy ("+slowest+")", r.Picks[slowest].NS, 100, "%.0f ns")
	r.goal(goal{Name: "allocations of these picks", Goal: "0", Measured: measured(len(r.Picks) > 0, "%.0f", allocs), Met: allocs == 0, Value: allocs})
	r.most("memory of an idle client", f.IdleKB, 4.5, "%.1f kB")
	r.most(fmt.Sprintf("%d upstreams checked every second (%.0f checks a second were made): share of a core", r.Checks, f.ChecksRate), 100*f.ChecksShare, 10, "%.1f %%")
	r.most("the most checks in 100 ms, × mean", f.ChecksBurst, 2, "%.2f ×")
	r.most("start to the first request served", median(f.StartMS), 50, "%.0f ms")
	r.most("binary", f.BinaryMB, 25, "%.1f MB")
	r.most("resident at rest", median(f.RestMB), 20, "%.1f MB")
}

// most adds a goal with an upper limit.
func (r *report) most(name string, v, most float64, format string) {
	r.goal(goal{Name: name, Goal: "≤ " + fmt.Sprintf(format, most), Measured: measured(v > 0, format, v), Met: v > 0 && v <= most, Value: v})
}

// least adds a goal with a lower limit.
func (r *report) least(name string, v, least float64, format string) {
	r.goal(goal{Name: name, Goal: "≥ " + fmt.Sprintf(format, least), Measured: measured(v > 0, format, v), Met: v >= least, Value: v})
}

func (r *report) goal(g goal) { r.Goals = append(r.Goals, g) }

func measured(is bool, format string, v float64) string {
	if !is {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// Verdict returns one word for the state of a goal.
func (g goal) Verdict() string {
	switch {
	case g.Measured == "":
		return "not measured"
	case g.Met:
		return "met"
	}
	return "missed"
}
