package top

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/goodgate/goodgate/internal/printable"
)

// Widths of names, and of the rest for the state.
const (
	maxPool    = 12
	minAddress = 16
	maxAddress = 44
	minState   = 24
	others     = 34 // the columns with a fixed width, and all gaps
)

// columns are the widths of the columns that depend on their content.
type columns struct{ pool, address int }

func (m *model) widths(rows []row) columns {
	c := columns{len("POOL"), len("UPSTREAM")}
	for _, r := range rows {
		c.pool = max(c.pool, min(ansi.StringWidth(printable.Text(r.pool.Name)), maxPool))
		c.address = max(c.address, ansi.StringWidth(printable.Text(r.Address)))
	}
	c.address = min(c.address, max(min(m.width-others-c.pool-minState, maxAddress), minAddress))
	return c
}

func (c columns) line(pool, address, failed, latency, flying, state string) string {
	return pad(pool, c.pool) + " " + pad(address, c.address) + fmt.Sprintf(" %8s %9s %9s  ", failed, latency, flying) + state
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-ansi.StringWidth(s), 0))
}

// table draws as many rows as there is room for, including the cursor's.
func (m *model) table(rows []row, room int) []string {
	c := m.widths(rows)
	lines := []string{m.marks.faint.Render("  " + c.line("POOL", "UPSTREAM", "FAILED", "LATENCY", "IN FLIGHT", "STATE"))}
	room = max(room-1, 0)
	from := min(max(m.cursor()-len(m.troubles())-room+1, 0), len(rows))
	for i, r := range rows[from:min(from+room, len(rows))] {
		lines = append(lines, m.pointer(len(m.troubles())+from+i)+m.row(r, c))
	}
	return lines
}

func (m *model) row(r row, c columns) string {
	state, mark := r.state(m.marks)
	failed := fmt.Sprintf("%d/%d", r.Minute.Failed, r.Minute.Attempts)
	latency := "-"
	if r.Minute.MeanMS > 0 {
		latency = inWords(r.Minute.MeanMS)
	}
	return c.line(short(r.pool.Name, c.pool), short(r.Address, c.address), failed, latency, fmt.Sprint(r.InFlight), mark.Render(printable.Text(state)))
}

func inWords(ms float64) string {
	if ms >= 10_000 {
		return fmt.Sprintf("%.0f s", ms/1000)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// state describes whether an upstream gets requests, and if not, why.
func (r row) state(m marks) (string, lipgloss.Style) {
	switch {
	case r.Operator == "drain":
		return "drained", m.warn
	case r.Operator != "ready":
		return r.Operator, m.warn
	case r.Available && r.Trusted:
		return "used although its checks fail", m.warn
	case r.Available && (r.Slow || r.Late):
		return "slow", m.warn
	case r.Available && r.Minute.Failed > 0:
		return "available", m.warn
	case r.Available:
		return "available", m.good
	}
	return "down: " + r.cause(), m.bad
}

// shortCause is the longest error of a check that is shown unchanged.
const shortCause = len("connection refused")

// cause describes why an upstream gets no requests.
func (r row) cause() string {
	met := "" // the check's error, without the steps to it
	if i := strings.LastIndex(r.Probe, ": "); i >= 0 {
		met = r.Probe[i+2:]
	}
	if what := strings.TrimPrefix(strings.TrimPrefix(r.Headline, "The upstream"), "'s"); what != "" && (met == "" || len(met) > shortCause) {
		return strings.TrimPrefix(strings.TrimSpace(what), "was ")
	}
	return cmp.Or(met, r.Why)
}

// details draws everything known about an item.
func (m *model) details(item, room int) []string {
	var lines []string
	if n := len(m.troubles()); item < n {
		lines = append([]string{""}, m.trouble(item)...)
	} else if rows := m.rows(); item-n < len(rows) {
		lines = m.upstream(rows[item-n])
	}
	return lines[:max(min(len(lines), room), 0)]
}

func (m *model) upstream(r row) []string {
	state, mark := r.state(m.marks)
	lines := []string{"", printable.Sprintf("pool %s, upstream %s", r.pool.Name, strings.TrimSpace(r.Address+" "+r.Name)), mark.Render(printable.Text(state)), ""}
	add := func(name, format string, args ...any) {
		text := m.wrap(printable.Sprintf(format, args...), 14)
		if len(text) == 0 {
			return
		}
		text[0] = fmt.Sprintf("%-14s", name) + strings.TrimLeft(text[0], " ")
		lines = append(lines, text...)
	}
	add("verdict", "%s", r.Why)
	add("last check", "%s", r.Probe)
	add("last minute", "%s, %d failed", count(r.Minute.Attempts, "attempt"), r.Minute.Failed)
	for _, why := range slices.Sorted(maps.Keys(r.Minute.Reasons)) {
		add("", "%d %s", r.Minute.Reasons[why], why)
	}
	if r.Minute.MeanMS > 0 {
		add("latency", "%s on average, to the response header", inWords(r.Minute.MeanMS))
	}
	in := fmt.Sprint(r.InFlight)
	if r.Limit > 0 {
		in += fmt.Sprintf(" of at most %d", r.Limit)
	}
	add("in flight", "%s", in)
	add("weight", "%s, tier %d", r.Share(), r.Tier)
	add("breaker", "%s", r.Breaker)
	if c := r.pool.Cache; c != nil {
		add("cache", "%s", strings.TrimPrefix(c.Line(), "cache: "))
	}
	return lines
}
