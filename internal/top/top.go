// Package top shows a running goodgate live in a terminal, through its API.
package top

import (
	"context"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/goodgate/goodgate/internal/admin"
)

const (
	every = time.Second
	bound = 5 * time.Second // timeout of an answer
)

// Run shows a client's goodgate until the user or ctx ends it.
func Run(ctx context.Context, client admin.Client, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := model{address: client.Address, marks: colours(), ask: func() (*admin.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		var s admin.Status
		return &s, client.Get(ctx, "/v1/status", &s)
	}}
	if _, err := m.ask(); err != nil {
		return err // more useful than a screen with only an error
	}
	if _, err := tea.NewProgram(m, tea.WithOutput(out), tea.WithContext(ctx)).Run(); err != nil {
		return fmt.Errorf("the live view ended: %w", err)
	}
	return nil
}

// answer is an answer of the API.
type answer struct {
	status *admin.Status
	err    error
}

// again is the time for the next request.
type again struct{}

// model is the view for Bubble Tea.
type model struct {
	address string
	ask     func() (*admin.Status, error)
	marks   marks

	width, height int
	status        *admin.Status // the last status; nil before the first
	err           error         // the error since then
	order         order
	filter        string
	typing        bool // the user edits the filter
	at            int  // index of the item with the cursor: first the troubles, then the rows
	open          bool // show only this item, with all details
}

func (m model) Init() tea.Cmd { return m.fetch }

func (m model) fetch() tea.Msg {
	s, err := m.ask()
	return answer{s, err}
}

// Update handles an event.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case answer:
		if m.err = msg.err; msg.err == nil {
			m.status = msg.status
		}
		return m, tea.Tick(every, func(time.Time) tea.Msg { return again{} })
	case again:
		return m, m.fetch
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return m, nil
}

func (m model) key(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	name := k.String()
	switch {
	case name == "ctrl+c":
		return m, tea.Quit
	case m.typing:
		m.edit(name, k.Text)
	case name == "q":
		return m, tea.Quit
	case name == "/":
		m.typing, m.open = true, false
	case name == "enter", name == "space", name == "right", name == "left":
		m.open = !m.open && name != "left"
	case name == "esc" && m.open:
		m.open = false
	case name == "esc":
		m.filter = ""
	case name == "up", name == "k":
		m.at--
	case name == "down", name == "j":
		m.at++
	default:
		if o, ok := orders[name]; ok {
			m.order, m.at = o, len(m.troubles())
		}
	}
	m.at = m.cursor()
	return m, nil
}

// cursor returns the index of an existing item with the cursor.
func (m *model) cursor() int {
	return max(min(m.at, len(m.troubles())+len(m.rows())-1), 0)
}

// edit changes the filter by a key.
func (m *model) edit(name, text string) {
	switch name {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		if r := []rune(m.filter); len(r) > 0 {
			m.filter = string(r[:len(r)-1])
		}
	default:
		m.filter += text
	}
}

// View draws the screen.
func (m model) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	if m.width > 0 {
		v.SetContent(m.render())
	}
	return v
}
