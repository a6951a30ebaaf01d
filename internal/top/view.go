package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/plot"
	"github.com/goodgate/goodgate/internal/printable"
)

// marks is how parts of the view are marked. Nothing depends on it to be
// understood; the zero value marks nothing.
type marks struct{ title, faint, good, warn, bad lipgloss.Style }

func colours() marks {
	s := lipgloss.NewStyle()
	return marks{
		title: s.Bold(true), faint: s.Faint(true),
		good: s.Foreground(lipgloss.Green), warn: s.Foreground(lipgloss.Yellow), bad: s.Foreground(lipgloss.Red).Bold(true),
	}
}

// row is an upstream and its pool.
type row struct {
	pool *admin.Pool
	*admin.Upstream
}

// order is what rows are sorted by.
type order struct {
	name string
	less func(a, b row) int // nil = as the API has them
}

// orders are the keys that sort.
var orders = map[string]order{
	"p": {},
	"f": {"failures", func(a, b row) int { return cmp.Compare(b.Minute.Failed, a.Minute.Failed) }},
	"l": {"latency", func(a, b row) int { return cmp.Compare(b.Minute.MeanMS, a.Minute.MeanMS) }},
	"i": {"in flight", func(a, b row) int { return cmp.Compare(b.InFlight, a.InFlight) }},
}

// rows returns the upstreams that pass the filter, sorted.
func (m *model) rows() (list []row) {
	if m.status == nil {
		return nil
	}
	for i := range m.status.Pools {
		p := &m.status.Pools[i]
		for j := range p.Upstreams {
			u := &p.Upstreams[j]
			if strings.Contains(p.Name+" "+u.Address+" "+u.Name, m.filter) {
				list = append(list, row{p, u})
			}
		}
	}
	if m.order.less != nil {
		slices.SortStableFunc(list, m.order.less)
	}
	return list
}

const (
	maxTroubles = 5
	rowFormat   = "%-12s %-21s %-11s %11s %10s %8s"
)

func (m model) render() string {
	lines := m.head()
	lines = append(lines, m.troubles()...)
	lines = append(lines, "", m.marks.faint.Render(fmt.Sprintf(rowFormat, "POOL", "UPSTREAM", "STATE", "FAILED/MIN", "LATENCY", "FLYING")))
	rows := m.rows()
	room := max(m.height-len(lines)-1, 0)
	for _, r := range rows[min(m.skip, len(rows)):min(m.skip+room, len(rows))] {
		lines = append(lines, m.row(r))
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(min(len(lines), m.height-1), 0)], m.foot(len(rows)))
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, m.width, "…")
	}
	return strings.Join(lines, "\n")
}

func (m *model) head() []string {
	s := m.status
	if s == nil {
		return []string{m.marks.title.Render("goodgate"), printable.Text(m.address)}
	}
	first := m.marks.title.Render("goodgate "+printable.Text(s.Version)) + printable.Sprintf("  %s, process %d, %s", s.State, s.PID, m.address)
	if m.err != nil {
		first = m.marks.bad.Render(fmt.Sprintf("No answer since %s: ", s.Now.Local().Format(time.TimeOnly))) + printable.Text(m.err.Error())
	}
	requests, seen, hidden, rate, waiting := make([]int, 0, 60), 0, 0, 0.0, 0
	for _, p := range s.Pools {
		rate += p.Demand.Rate
		waiting += p.Demand.Queued + p.Waiting
		for i := range p.Past.Requests {
			if i == len(requests) {
				requests = append(requests, 0)
			}
			requests[i] += int(p.Past.Requests[i])
			seen += at(p.Past.Escaped, i)
			hidden += at(p.Past.Absorbed, i)
		}
	}
	mark := m.marks.good
	if seen > 0 {
		mark = m.marks.bad
	}
	top := slices.Max(append(requests, 0))
	return []string{
		first,
		fmt.Sprintf("%.1f requests/s, %d waiting; last minute: ", rate, waiting) + mark.Render(fmt.Sprintf("%d errors seen by clients", seen)) + fmt.Sprintf(", %d hidden", hidden),
		"requests  " + plot.Spark(requests, top),
	}
}

// at returns what a series has at a place, 0 beyond its end.
func at(series []uint32, i int) int {
	if i >= len(series) {
		return 0
	}
	return int(series[i])
}

// troubles draws the worst that is wrong.
func (m *model) troubles() []string {
	if m.status == nil {
		return nil
	}
	all := m.status.Troubles
	if len(all) == 0 {
		return []string{m.marks.good.Render("nothing is wrong")}
	}
	var lines []string
	for _, t := range all[:min(len(all), maxTroubles)] {
		mark, word := m.marks.warn, "warning "
		if t.Level == "error" {
			mark, word = m.marks.bad, "error   "
		}
		lines = append(lines, mark.Render(word)+printable.Text(strings.TrimSpace(strings.Join([]string{t.Pool, t.Upstream}, " "))+": "+t.Text))
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, m.marks.faint.Render(fmt.Sprintf("and %d more", more)))
	}
	return lines
}

func (m *model) row(r row) string {
	state, mark := "out", m.marks.bad
	switch {
	case r.Operator != "ready":
		state, mark = printable.Text(r.Operator), m.marks.warn
	case r.Available && r.Minute.Failed > 0:
		state, mark = "failing", m.marks.bad
	case r.Available && (r.Slow || r.Trusted):
		state, mark = map[bool]string{true: "slow", false: "trusted"}[r.Slow], m.marks.warn
	case r.Available:
		state, mark = "available", m.marks.good
	}
	latency := "-"
	if r.Minute.MeanMS > 0 {
		latency = fmt.Sprintf("%.1f ms", r.Minute.MeanMS)
	}
	line := fmt.Sprintf(rowFormat, short(r.pool.Name, 12), short(r.Address, 21), "\x00", fmt.Sprintf("%d/%d", r.Minute.Failed, r.Minute.Attempts), latency, fmt.Sprint(r.InFlight))
	return strings.Replace(line, "\x00"+strings.Repeat(" ", 10), mark.Render(fmt.Sprintf("%-11s", state)), 1)
}

func (m *model) foot(n int) string {
	if m.typing {
		return "filter: " + printable.Text(m.filter) + "_   Enter keeps it, Esc drops it"
	}
	s := fmt.Sprintf("%d upstreams by %s", n, cmp.Or(m.order.name, "pool"))
	if m.filter != "" {
		s += printable.Sprintf(", only %q", m.filter)
	}
	return m.marks.faint.Render(s + "   sort: p f l i   / filter   ↑↓ scroll   q quit")
}

// short keeps the end of a text, where addresses differ.
func short(s string, width int) string {
	s = printable.Text(s)
	if n := ansi.StringWidth(s); n > width {
		return ansi.TruncateLeft(s, n-width+1, "…")
	}
	return s
}
