package demo

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/goodgate/goodgate/internal/plot"
)

// theme has the styles of the view's parts. The view is understandable without them.
// The zero value has no styles.
type theme struct{ title, head, good, bad, faint lipgloss.Style }

func colours() theme {
	s := lipgloss.NewStyle()
	return theme{
		title: s.Bold(true),
		head:  s.Faint(true),
		good:  s.Foreground(lipgloss.Green),
		bad:   s.Foreground(lipgloss.Red).Bold(true),
		faint: s.Faint(true),
	}
}

// render returns a frame as a screen of width by height cells.
func (t theme) render(f frame, width, height int) string {
	lines := []string{
		t.title.Render("goodgate demo") + fmt.Sprintf("   %s, %d requests/s", clock(f.elapsed), f.rate),
		"try: curl http://" + f.addr + "/",
		"",
		t.head.Render(fmt.Sprintf(rowFormat+"%7s", "BACKEND", "", "FAULT NOW", "VERDICT", "SERVED", "FAILED")),
	}
	for _, r := range f.rows {
		lines = append(lines, t.row(r))
	}
	lines = append(lines, "")
	lines = append(lines, t.clients(f)...)
	lines = append(lines, "")
	lines = append(lines, t.sparks(f.past)...)
	lines = append(lines, "")
	lines = append(lines, explain(f, width)...)
	lines = append(lines, "", t.faint.Render("Ctrl-C ends"))
	lines = lines[:min(len(lines), max(height, 1))]
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, width, "")
	}
	return strings.Join(lines, "\n")
}

// rowFormat is the format of a row without its last column: 73 of 80 cells.
const rowFormat = "%-9s %-15s %-19s %-17s %9s"

func (t theme) row(r row) string {
	failed := fmt.Sprintf("%7s", count(r.count.Failed))
	if r.fault != NoFault {
		failed = t.bad.Render(failed)
	}
	return fmt.Sprintf(rowFormat, r.name, r.addr, r.fault, r.verdict, count(r.count.Served)) + failed
}

// clients returns the lines with the clients' results.
func (t theme) clients(f frame) []string {
	now := f.last()
	reached := t.good.Render(count(f.total.Failed) + " reached a client")
	if f.total.Failed > 0 {
		reached = t.bad.Render(count(f.total.Failed) + " reached a client")
	}
	return []string{
		t.head.Render("CLIENTS") + fmt.Sprintf("    %s/s: %s ok, %s failed, p50 %s, p99 %s, %s waiting",
			count(now.Requests), count(now.OK), count(now.Failed), millis(now.P50), millis(now.P99), count(f.waiting)),
		t.head.Render("TOTAL") + fmt.Sprintf("      %s, %s, ", many(f.total.Requests, "request"), many(f.total.UpstreamFailures, "upstream failure")) + reached,
		fmt.Sprintf("           %s waited for an upstream; %s executed, %s twice", many(f.total.Held, "request"), many(f.total.Posts, "POST"), count(f.total.Double)),
	}
}

// sparks returns the failures of the last seconds as two sparklines with the same
// scale.
func (t theme) sparks(past []second) []string {
	upstream, client := make([]int, len(past)), make([]int, len(past))
	top := 0
	for i, s := range past {
		upstream[i], client[i] = s.UpstreamFailures, s.Failed
		top = max(top, s.UpstreamFailures, s.Failed)
	}
	return []string{
		t.head.Render(fmt.Sprintf("FAILURES, last %d s, at most %s in one second", history, count(top))),
		"upstreams  " + spark(upstream, top),
		"clients    " + spark(client, top),
	}
}

// spark returns a sparkline of values up to top, with the last one at the right.
func spark(values []int, top int) string {
	return strings.Repeat(" ", max(0, history-len(values))) + plot.Spark(values, top)
}

// explain describes the present state in a sentence. It always has two lines, so that
// the lines below stay in place.
func explain(f frame, width int) []string {
	text := "No fault now."
	if f.step != nil {
		text = f.step.Text
	}
	lines := strings.Split(ansi.Wordwrap(text, max(width, 1), ""), "\n")
	for len(lines) < 2 {
		lines = append(lines, "")
	}
	return lines
}

// line returns a second of the view as one line, for outputs other than a terminal.
func (f *frame) line() string {
	s := f.last()
	return fmt.Sprintf("%s  %4d/s  upstream failures %4d  client failures %4d  p50 %7s  p99 %7s  waiting %4d  total: %s, %s, %s reached a client",
		clock(f.elapsed), s.Requests, s.UpstreamFailures, s.Failed, millis(s.P50), millis(s.P99), f.waiting,
		many(f.total.Requests, "request"), many(f.total.UpstreamFailures, "upstream failure"), count(f.total.Failed))
}

func clock(d time.Duration) string {
	s := int(d / time.Second)
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

func millis(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
