package main

import "fmt"

// goal is a figure that goodgate is to keep, beside what was measured.
type goal struct {
	Name     string  `json:"name"`
	Goal     string  `json:"goal"`
	Measured string  `json:"measured"` // empty = it was not
	Met      bool    `json:"met"`
	Value    float64 `json:"value"`
}

// judge puts what was measured beside the goals. A figure of 0 was not measured.
func (r *report) judge() {
	f, rows := r.fact(subject), r.row
	ratio := func(name, title string, most float64) {
		v := 0.0
		if base := rows(name, yard).of(sample.cpu); base > 0 {
			v = rows(name, subject).of(sample.cpu) / base
		}
		r.most(title+": CPU per request, × nginx", v, most, "%.2f ×")
	}
	ratio("get1k", "GET 1 kB", 1.4)
	ratio("post10k", "POST 10 kB", 1.4)
	ratio("get100k", "GET 100 kB", 0.75)
	ratio("get1m", "GET 1 MB", 0.45)
	p99 := 0.0
	if base := median(r.fact(yard).KneeP99); base > 0 {
		p99 = median(f.KneeP99) / base
	}
	r.most("p99 at 70 % of nginx's knee, × nginx", p99, 1.5, "%.2f ×")
	r.most("allocations per plain GET, whole process", f.Allocs, 4, "%.1f")
	r.most("bytes of these", f.AllocKB, 3, "%.2f kB")
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

// most adds a goal that is met up to a value.
func (r *report) most(name string, v, most float64, format string) {
	r.goal(goal{Name: name, Goal: "≤ " + fmt.Sprintf(format, most), Measured: measured(v > 0, format, v), Met: v > 0 && v <= most, Value: v})
}

func (r *report) goal(g goal) { r.Goals = append(r.Goals, g) }

func measured(is bool, format string, v float64) string {
	if !is {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// Verdict says in a word how a goal stands.
func (g goal) Verdict() string {
	switch {
	case g.Measured == "":
		return "not measured"
	case g.Met:
		return "met"
	}
	return "missed"
}
