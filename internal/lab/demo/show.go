package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
)

// show updates the view until ctx ends, or until the user ends the live view.
func (d *demo) show(ctx context.Context) error {
	if d.opts.Plain {
		d.frames(ctx, plain(d.opts.Out, d.gate.addr))
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	p := tea.NewProgram(model{theme: colours(), frame: d.frame()},
		tea.WithOutput(d.opts.Out), tea.WithoutSignalHandler())
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		d.frames(ctx, func(f frame, _ bool) { p.Send(f) })
		p.Quit()
	}()
	_, err := p.Run()
	cancel()
	<-fed
	if err != nil {
		return fmt.Errorf("the live view ended (--plain does without it): %w", err)
	}
	return nil
}

// frames calls show several times a second; second means that a second has just ended.
func (d *demo) frames(ctx context.Context, show func(f frame, second bool)) {
	ticker := time.NewTicker(frameEvery)
	defer ticker.Stop()
	next := d.start.Add(time.Second)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		ended := !time.Now().Before(next)
		if ended {
			next = next.Add(time.Second)
			d.stats.roll()
		}
		show(d.frame(), ended)
	}
}

// plain writes a line per second, and a line at the beginning of a fault.
func plain(out io.Writer, addr string) func(frame, bool) {
	fmt.Fprintf(out, "try: curl http://%s/\n", addr)
	var step *Step
	return func(f frame, second bool) {
		if f.step != step && f.step != nil {
			fmt.Fprintf(out, "%s  %s\n", clock(f.elapsed), f.step.Text)
		}
		step = f.step
		if second {
			fmt.Fprintln(out, f.line())
		}
	}
}

// model is the live view for Bubble Tea.
type model struct {
	theme         theme
	frame         frame
	width, height int
}

func (m model) Init() tea.Cmd { return nil }

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case frame:
		m.frame = msg
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if s := msg.String(); s == "ctrl+c" || s == "q" {
			return m, tea.Quit
		}
	}
	return m, nil
}

func (m model) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	if m.width > 0 {
		v.SetContent(m.theme.render(m.frame, m.width, m.height))
	}
	return v
}
