package health

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/balancer"
)

// Agent asks a program beside an upstream for the share of load that the upstream can
// take. The protocol is that of HAProxy's agent-check (HAProxy configuration manual,
// section 5.2): over TCP, one line per connection. It is safe for concurrent use.
type Agent struct {
	Port int    // port on the upstream's host
	Send []byte // bytes to send first; nil = none
}

// AgentWord is the sum of all answers of an agent. The zero value is the state before the
// first answer.
type AgentWord struct {
	Percent  int  // percentage of the upstream's weight, if Weighted
	Weighted bool // the agent has sent a percentage; otherwise it is 100
	Drain    bool // set by drain and maint, until ready
	Down     bool // set by down, failed and stopped, until up
}

// Out reports whether the upstream takes no new requests.
func (w AgentWord) Out() bool { return w.Drain || w.Down || w.Weighted && w.Percent == 0 }

// Share returns the percentage of the weight.
func (w AgentWord) Share() int {
	if !w.Weighted {
		return 100
	}
	return w.Percent
}

func (w AgentWord) String() string {
	switch {
	case w.Down:
		return "down"
	case w.Drain:
		return "drain"
	}
	return strconv.Itoa(w.Share()) + "%"
}

const (
	maxAgentLine  = 1 << 10 // bytes
	maxAgentShare = 256     // percent, HAProxy's bound
)

// Ask asks the agent of an upstream, applies its answer to before, and returns the
// result. With an error it returns before unchanged.
func (a Agent) Ask(ctx context.Context, u *balancer.Upstream, before AgentWord) (AgentWord, error) {
	conn, err := newDialer(Target{Port: a.Port, TLS: new(false)}, nil, nil).dial(ctx, u)
	if err != nil {
		return before, err
	}
	defer conn.Close()
	if len(a.Send) > 0 {
		if _, err := conn.Write(a.Send); err != nil {
			return before, exchangeError(ctx, "sending to the agent", err)
		}
	}
	line, err := readLine(conn)
	if err != nil {
		return before, exchangeError(ctx, "waiting for the agent", err)
	}
	return before.hear(line)
}

// readLine reads up to the end of a line or of the stream.
func readLine(r io.Reader) (string, error) {
	var line []byte
	room := make([]byte, maxAgentLine)
	for len(line) < maxAgentLine {
		n, err := r.Read(room)
		line = append(line, room[:n]...)
		if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
			return string(line[:i]), nil
		}
		if err == io.EOF && len(line) > 0 {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", wrong("the agent's line is longer than %d bytes", maxAgentLine)
}

// hear returns w, updated by a line. Spaces, tabs or commas separate its words. After
// down, failed or stopped may follow # and a reason.
func (w AgentWord) hear(line string) (AgentWord, error) {
	next, known := w, false
	line, _, _ = strings.Cut(line, "#")
	for word := range strings.FieldsFuncSeq(strings.ToLower(line), func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		percent, isShare := strings.CutSuffix(word, "%")
		switch {
		case word == "up":
			next.Down = false
		case word == "down", word == "failed", word == "fail", word == "stopped":
			next.Down = true
		case word == "ready":
			next.Drain = false
		case word == "drain", word == "maint":
			next.Drain = true
		case isShare:
			n, err := strconv.Atoi(percent)
			if err != nil || n < 0 || n > maxAgentShare {
				return w, wrong("the agent said %.40q: expected 0%% to %d%%", word, maxAgentShare)
			}
			next.Percent, next.Weighted = n, true
		case strings.HasPrefix(word, "maxconn:"): // not used: see concurrency
		default:
			return w, wrong("the agent said %.40q: expected up, down, ready, drain, maint or a percentage", word)
		}
		known = true
	}
	if !known {
		return w, fmt.Errorf("%w: the agent said nothing", ErrNotProbed)
	}
	return next, nil
}
