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

// marks has the styles of the view's parts. The view is understandable without them;
// the zero value has none.
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

// order is a sort order of rows.
type order struct {
	name string
	less func(a, b row) int // nil = order of the API
}

// orders are the keys that select a sort order.
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

// troubles returns the troubles, the worst first, with similar ones as a group.
func (m *model) troubles() []admin.Group {
	if m.status == nil {
		return nil
	}
	return admin.Folded(m.status.Troubles)
}

func (m model) render() string {
	lines := m.head()
	body := max(m.height-len(lines)-1, 0)
	if m.open {
		lines = append(lines, m.details(m.cursor(), body)...)
	} else {
		lines = append(lines, m.body(body)...)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(min(len(lines), m.height-1), 0)], m.foot())
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
	var cached, cacheable int64
	for _, p := range s.Pools {
		rate += p.Demand.Rate
		waiting += p.Demand.Queued + p.Waiting
		answered, all := p.Cache.Share()
		cached, cacheable = cached+answered, cacheable+all
		for i := range p.Past.Requests {
			if i == len(requests) {
				requests = append(requests, 0)
			}
			requests[i] += int(p.Past.Requests[i])
		}
		escaped, absorbed := lastMinute(&p)
		seen += escaped
		hidden += absorbed
	}
	mark := m.marks.good
	if seen > 0 {
		mark = m.marks.bad
	}
	if cacheable > 0 {
		first += fmt.Sprintf(", cache %d%%", 100*cached/cacheable)
	}
	most := slices.Max(append(requests, 0))
	return []string{
		first,
		fmt.Sprintf("%.1f requests/s, %d waiting; last minute: ", rate, waiting) + mark.Render(count(seen, "error")+" seen by clients") + fmt.Sprintf(", %d hidden", hidden),
		"requests  " + plot.Spark(requests, most) + m.marks.faint.Render(fmt.Sprintf(" max %d/s", most)),
	}
}

// at returns the value of a series at an index, 0 beyond its end.
func at(series []uint32, i int) int {
	if i >= len(series) {
		return 0
	}
	return int(series[i])
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// body draws the troubles, the upstreams, and the latest failures in the remaining
// lines.
func (m *model) body(room int) []string {
	rows := m.rows()
	table := min(len(rows), max(room/2, room-2-len(m.troubles())))
	lines := m.drawTroubles(max(room-2-table, 1))
	lines = append(lines, "")
	lines = append(lines, m.table(rows, room-len(lines))...)
	return append(lines, m.failures(room-len(lines))...)
}

// drawTroubles draws the troubles in a number of lines: each in one, and as many as
// possible completely, the worst first.
func (m *model) drawTroubles(room int) (lines []string) {
	all := m.troubles()
	if m.status == nil {
		return nil
	}
	if len(all) == 0 {
		return []string{m.marks.good.Render("nothing is wrong")}
	}
	cursor := m.cursor()
	from := 0 // the trouble with the cursor is among the visible ones
	if shown := max(room-1, 1); len(all) > room && cursor < len(all) {
		from = max(0, min(cursor-shown+1, len(all)-shown))
	}
	last := min(len(all), from+room)
	if last < len(all) {
		last = max(from+1, last-1)
	}
	spare := room - (last - from)
	if last < len(all) {
		spare--
	}
	for i := from; i < last; i++ {
		text := m.trouble(i)
		if more := len(text) - 1; more <= spare {
			spare -= more
		} else {
			text = text[:1]
		}
		lines = append(lines, text...)
	}
	if more := len(all) - last; more > 0 {
		lines = append(lines, m.marks.faint.Render(fmt.Sprintf("  and %d more (↓)", more)))
	}
	return lines
}

// trouble draws a complete trouble.
func (m *model) trouble(i int) []string {
	t := &m.troubles()[i]
	mark, word := m.marks.warn, t.Level
	switch t.Level {
	case "error":
		mark = m.marks.bad
	case "notice":
		mark = m.marks.faint
	}
	place := t.Place()
	headline, rest := t.Title(), t.Evidence()
	if headline == "" { // from an older goodgate
		headline, rest = split(t.Text)
	}
	first := m.pointer(i) + mark.Render(fmt.Sprintf("%-8s", printable.Text(word))) + " " + printable.Text(strings.TrimPrefix(place+": ", ": ")+headline)
	if lipgloss.Width(first) > m.width { // the whole text must be readable
		rest = t.Evidence()
	}
	lines := []string{first}
	for _, text := range []string{rest, t.Do} {
		lines = append(lines, m.wrap(text, 11)...)
	}
	return lines
}

// split returns the first sentence of a text, and the rest.
func split(text string) (first, rest string) {
	if before, after, found := strings.Cut(text, ". "); found {
		return before + ".", after
	}
	return text, ""
}

// wrap returns text wrapped at the width, indented.
func (m *model) wrap(text string, indent int) (lines []string) {
	if text == "" {
		return nil
	}
	indent = min(indent, max(m.width-20, 0))
	for line := range strings.SplitSeq(ansi.Wrap(printable.Text(text), max(m.width-indent, 1), ""), "\n") {
		lines = append(lines, strings.Repeat(" ", indent)+line)
	}
	return lines
}

// pointer marks the item with the cursor.
func (m *model) pointer(item int) string {
	if item == m.cursor() {
		return m.marks.title.Render("▸ ")
	}
	return "  "
}

// failures draws the latest requests with a failure.
func (m *model) failures(room int) (lines []string) {
	if room < 4 || m.status == nil || len(m.status.Failures) == 0 {
		return nil
	}
	lines = append(lines, "", m.marks.faint.Render("  LATEST FAILURES, goodgate why ID explains"))
	for _, q := range m.status.Failures[:min(len(m.status.Failures), room-2)] {
		end := fmt.Sprintf("%d %s", q.Status, q.Reason)
		if q.AbsorbedBy != "" {
			end = "hidden by " + q.AbsorbedBy + ": " + q.Hidden
		}
		lines = append(lines, printable.Sprintf("  %s  %s  %s %s  %s", q.Start.Local().Format(time.TimeOnly), q.ID, q.Method, q.Path, end))
	}
	return lines
}

func (m *model) foot() string {
	switch {
	case m.typing:
		return "filter: " + printable.Text(m.filter) + "_   Enter keeps it, Esc drops it"
	case m.open:
		return m.marks.faint.Render("↑↓ the next   Esc back   q quit")
	}
	s := count(len(m.rows()), "upstream") + " by " + cmp.Or(m.order.name, "pool")
	if m.filter != "" {
		s += printable.Sprintf(", only %q", m.filter)
	}
	return m.marks.faint.Render(s + "   ↑↓ Enter explain   sort: p f l i   / filter   q quit")
}

// short shortens a text and keeps its end, where addresses differ.
func short(s string, width int) string {
	s = printable.Text(s)
	if n := ansi.StringWidth(s); n > width {
		return ansi.TruncateLeft(s, n-width+1, "…")
	}
	return s
}
