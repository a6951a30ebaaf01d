package top

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/goodgate/goodgate/internal/admin"
)

func example() *admin.Status {
	up := func(address string, failed int, ms float64, flying int) admin.Upstream {
		return admin.Upstream{Address: address, Available: true, Operator: "ready", InFlight: flying, Minute: admin.Minute{Attempts: 100, Failed: failed, MeanMS: ms}}
	}
	s := &admin.Status{Version: "1.2", State: "serving", Pools: []admin.Pool{
		{Name: "app", Upstreams: []admin.Upstream{up("10.0.0.1:80", 0, 3, 9), up("10.0.0.2:80", 7, 2000, 1)}},
		{Name: strings.Repeat("long", 10), Upstreams: []admin.Upstream{up(strings.Repeat("x", 60)+":443", 1, 12345678, 3), {Address: "gone:80", Operator: "drain"}}},
	}}
	s.Pools[0].Past = admin.Past{Requests: make([]uint32, 60), Escaped: make([]uint32, 60), Absorbed: make([]uint32, 60)}
	s.Pools[0].Past.Requests[59], s.Pools[0].Past.Escaped[3] = 50, 4
	for i := range 9 {
		s.Troubles = append(s.Troubles, admin.Trouble{Level: "error", Pool: "app", Text: fmt.Sprintf("%d \x1b[31mred\r\n %s", i, strings.Repeat("wide ", 40))})
	}
	return s
}

// press feeds keys and returns the model after them.
func press(t *testing.T, m tea.Model, keys ...tea.KeyPressMsg) (model, tea.Cmd) {
	t.Helper()
	var cmd tea.Cmd
	for _, k := range keys {
		m, cmd = m.Update(k)
	}
	return m.(model), cmd
}

func letter(r rune) tea.KeyPressMsg { return tea.KeyPressMsg{Code: r, Text: string(r)} }

func shown(t *testing.T) model {
	t.Helper()
	m, _ := model{address: "127.0.0.1:9900"}.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	m, cmd := m.Update(answer{status: example()})
	if cmd == nil {
		t.Error("it does not ask again")
	}
	return m.(model)
}

// TestLate: an upstream that others answer for is slow.
func TestLate(t *testing.T) {
	m := shown(t)
	m.status.Pools[0].Upstreams[0].Late = true
	if !strings.Contains(m.render(), "slow") {
		t.Errorf("got %s", m.render())
	}
}

func TestFits(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 10}, {10, 3}, {1, 1}, {200, 60}} {
		m := shown(t)
		m.width, m.height = size[0], size[1]
		lines := strings.Split(m.render(), "\n")
		if len(lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if w := ansi.StringWidth(line); w > size[0] || strings.ContainsAny(line, "\x1b\r") {
				t.Errorf("%v: %d cells: %q", size, w, line)
			}
		}
	}
	got := shown(t).render()
	for _, want := range []string{"goodgate 1.2  serving", "4 errors seen by clients", "10.0.0.2:80", "7/100", "2000.0 ms", "drained", "4 upstreams by pool", "IN FLIGHT"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	m := shown(t)
	if m.height = 12; !strings.Contains(m.render(), "more (↓)") {
		t.Errorf("12 lines do not say that there is more:\n%s", m.render())
	}
}

func TestKeys(t *testing.T) {
	for key, first := range map[rune]string{'p': "10.0.0.1:80", 'f': "10.0.0.2:80", 'i': "10.0.0.1:80", 'l': strings.Repeat("x", 60) + ":443"} {
		m, _ := press(t, shown(t), letter(key))
		if got := m.rows()[0].Address; got != first {
			t.Errorf("%c: %s comes first, want %s", key, got, first)
		}
	}
	m, _ := press(t, shown(t), letter('/'), letter('0'), letter('.'), letter('2'), letter('x'), tea.KeyPressMsg{Code: tea.KeyBackspace}, tea.KeyPressMsg{Code: tea.KeyEnter})
	if len(m.rows()) != 1 || m.typing || !strings.Contains(m.render(), `only "0.2"`) {
		t.Errorf("filtered: %d rows, typing %t\n%s", len(m.rows()), m.typing, m.render())
	}
	if m, _ = press(t, m, tea.KeyPressMsg{Code: tea.KeyEscape}); len(m.rows()) != 4 {
		t.Errorf("after Esc: %d rows", len(m.rows()))
	}
	down, up := tea.KeyPressMsg{Code: tea.KeyDown}, tea.KeyPressMsg{Code: tea.KeyUp}
	for range 20 {
		m, _ = press(t, m, down)
	}
	if m.at != 9+4-1 {
		t.Errorf("the cursor is at %d, want the last of 9 troubles and 4 upstreams", m.at)
	}
	for range 20 {
		m, _ = press(t, m, up)
	}
	if m.at != 0 {
		t.Errorf("the cursor is at %d, want 0", m.at)
	}
	for _, k := range []tea.KeyPressMsg{letter('q'), {Code: 'c', Mod: tea.ModCtrl}} {
		if _, cmd := press(t, m, k); cmd == nil || cmd() != (tea.QuitMsg{}) {
			t.Errorf("%s does not quit", k)
		}
	}
	if _, cmd := press(t, m, letter('/'), letter('q')); cmd != nil {
		t.Error("a q in the filter quits")
	}
}

// sick is a goodgate with two long troubles and two upstreams.
func sick() *admin.Status {
	return &admin.Status{State: "serving", Troubles: []admin.Trouble{
		{Level: "error", Pool: "app", Upstream: "127.0.0.1:3902", Text: "It gets no requests: its checks fail: connecting: dial tcp 127.0.0.1:3902: connect: connection REFUSED. Now it is away.", Do: "Start the application THERE, or correct the address in the configuration of the pool."},
		{Level: "warning", Pool: "api", Text: "Overloaded: 12 of 4000 requests in the last minute were refused, since more come than the upstreams may HAVE.", Do: "Add upstreams."},
	}, Pools: []admin.Pool{{Name: "app", Upstreams: []admin.Upstream{
		{Address: "127.0.0.1:3901", Operator: "ready", Available: true},
		{Address: "127.0.0.1:3902", Operator: "ready", Why: "its checks fail", Probe: "connecting: dial tcp 127.0.0.1:3902: connect: connection refused", Minute: admin.Minute{Attempts: 1, Failed: 1, Reasons: map[string]int{"connect_refused": 1}}},
	}}}}
}

// TestCauseIsReadable checks that the whole cause and the remedy are visible on the
// smallest usual screen without a key, and on a smaller one with Enter.
func TestCauseIsReadable(t *testing.T) {
	m := shown(t)
	m.status = sick()
	m.width, m.height = 80, 24
	got := m.render()
	for _, want := range []string{"REFUSED", "THERE", "HAVE", "Add upstreams.", "down: connection refused"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	m.height = 10
	if got := m.render(); strings.Contains(got, "HAVE") || !strings.Contains(got, "api: Overloaded") || !strings.Contains(got, "127.0.0.1:3901") {
		t.Errorf("10 lines: got\n%s", got)
	}
	down, enter := tea.KeyPressMsg{Code: tea.KeyDown}, tea.KeyPressMsg{Code: tea.KeyEnter}
	if m, _ = press(t, m, down, enter); !strings.Contains(m.render(), "HAVE") || strings.Contains(m.render(), "REFUSED") {
		t.Errorf("the second trouble: got\n%s", m.render())
	}
	m, _ = press(t, m, down, down)
	m.height = 24
	if got := m.render(); !strings.Contains(got, "1 attempt, 1 failed") || !strings.Contains(got, "1 connect_refused") || !strings.Contains(got, "dial tcp 127.0.0.1:3902") {
		t.Errorf("the second upstream: got\n%s", got)
	}
	if m, _ = press(t, m, tea.KeyPressMsg{Code: tea.KeyEscape}); !strings.Contains(m.render(), "2 upstreams by pool") {
		t.Errorf("after Esc: got\n%s", m.render())
	}
	for n := range 40 { // no height loses the cursor
		m.height = n
		if lines := strings.Split(m.render(), "\n"); len(lines) > max(n, 1) || n >= 9 && !strings.Contains(m.render(), "▸") {
			t.Errorf("height %d: got\n%s", n, strings.Join(lines, "\n"))
		}
	}
}

// TestNoAnswer: the last state stays, and it says of when it is.
func TestNoAnswer(t *testing.T) {
	m, cmd := shown(t).Update(answer{err: errors.New("no goodgate answers")})
	if got := m.(model).render(); !strings.Contains(got, "No answer since") || !strings.Contains(got, "10.0.0.1:80") || cmd == nil {
		t.Errorf("got\n%s", got)
	}
}

// TestHostile: every answer of the admin address is shown as text.
func TestHostile(t *testing.T) {
	const hostile = "\x1b]0;owned\a\r\n\u009b31m\u202e\xff"
	m := shown(t)
	m.width, m.height, m.address, m.filter = 500, 40, hostile, ""
	m.status = &admin.Status{
		Version: hostile, State: hostile, Troubles: []admin.Trouble{{Level: hostile, Pool: hostile, Upstream: hostile, Text: hostile, Do: hostile}},
		Pools: []admin.Pool{{Name: hostile, Past: admin.Past{Requests: []uint32{1}}, Upstreams: []admin.Upstream{{Address: hostile, Name: hostile, Operator: hostile, Why: hostile}}}},
	}
	for _, state := range []func(){func() {}, func() { m.err = errors.New(hostile) }, func() { m.filter = hostile }, func() { m.typing = true }, func() { m.status = nil }} {
		state()
		for i, r := range m.render() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U at %d: %+q", r, i, m.render())
			}
		}
	}
}

// TestWhyDown: the column has the cause, not the end of a long error.
func TestWhyDown(t *testing.T) {
	for _, test := range []struct {
		u    admin.Upstream
		want string
	}{
		{admin.Upstream{Probe: "connecting: dial tcp 127.0.0.1:1: connect: connection refused", Headline: "The upstream refuses connections"}, "down: connection refused"},
		{admin.Upstream{Probe: "tls: x509: certificate has expired or is not yet valid: current time 2026-11-29T10:57:38Z is after 2026-11-26T10:56:41Z", Headline: "The upstream's certificate has expired"}, "down: certificate has expired"},
		{admin.Upstream{Probe: "tls handshake: tls: first record does not look like a TLS handshake", Headline: "The upstream does not speak TLS"}, "down: does not speak TLS"},
		{admin.Upstream{Headline: "The upstream was ejected because requests to it failed"}, "down: ejected because requests to it failed"},
		{admin.Upstream{Why: "out"}, "down: out"},
	} {
		test.u.Operator = "ready"
		if got, _ := (row{nil, &test.u}).state(marks{}); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestManyAlike: a dozen upstreams with the same trouble do not push out the rest.
func TestManyAlike(t *testing.T) {
	m := shown(t)
	m.height = 40
	m.status.Troubles = nil
	for i := range 12 {
		m.status.Troubles = append(m.status.Troubles, admin.Trouble{Level: "warning", Situation: "connect_refused", Pool: fmt.Sprintf("svc%d", i), Upstream: fmt.Sprintf("10.0.1.%d:80", i), Headline: "The upstream refuses connections", Text: "Nothing listens there.", Do: "Start it."})
	}
	m.status.Troubles = append(m.status.Troubles, admin.Trouble{Level: "notice", Situation: "at_limit", Pool: "app", Headline: "The pool is at its limit", Text: "All taken."})
	got := m.render()
	for _, want := range []string{"12 upstreams in 12 pools refuse connections", "svc0 10.0.1.0:80: Nothing listens there.", "svc11", "Start it.", "app: The pool is at its limit"} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Count(got, "refuse") != 1 {
		t.Errorf("it is told more than once:\n%s", got)
	}
}

// TestCacheShare: the head has the share of all caches, an upstream's details that of its
// pool.
func TestCacheShare(t *testing.T) {
	m := shown(t)
	if got := m.render(); strings.Contains(got, "cache") {
		t.Errorf("without a cache: got\n%s", got)
	}
	m.status.Pools[0].Cache = &admin.Cache{Misses: 1, Revalidated: 1}
	m.status.Pools[1].Cache = &admin.Cache{Hits: 5, Stale: 1}
	if got := m.render(); !strings.Contains(got, ", cache 75%") {
		t.Errorf("got\n%s", got)
	}
	if got := strings.Join(m.upstream(m.rows()[0]), "\n"); !strings.Contains(got, "0% of 2 requests answered without an upstream") {
		t.Errorf("got\n%s", got)
	}
}
