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
	for _, want := range []string{"goodgate 1.2  serving", "4 errors seen by clients", "and 4 more", "10.0.0.2:80", "failing", "7/100", "2000.0 ms", "drain", "4 upstreams by pool"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
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
	down := tea.KeyPressMsg{Code: tea.KeyDown}
	if m, _ = press(t, m, down, down, down, down, down, down); m.skip != 3 {
		t.Errorf("scrolled by %d", m.skip)
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

// TestNoAnswer: the last state stays, and it says of when it is.
func TestNoAnswer(t *testing.T) {
	m, cmd := shown(t).Update(answer{err: errors.New("no goodgate answers")})
	if got := m.(model).render(); !strings.Contains(got, "No answer since") || !strings.Contains(got, "10.0.0.1:80") || cmd == nil {
		t.Errorf("got\n%s", got)
	}
}

// TestHostile: whatever answers on the admin address is shown as text.
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
