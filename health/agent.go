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

// Agent asks a program beside an upstream what share of the load it can take, as HAProxy's
// agent-check does (HAProxy configuration manual, section 5.2): over TCP, one line a
// connection. It is safe for concurrent use.
type Agent struct {
	Port int    // of the upstream's host
	Send []byte // first; nil = nothing
}

// AgentWord is all that an agent has said. The zero value is what holds before it says anything.
type AgentWord struct {
	Percent  int  // of the upstream's weight, as Weighted says
	Weighted bool // a percentage was said; else it is 100
	Drain    bool // by drain or maint; until ready
	Down     bool // by down, failed or stopped; until up
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

// Ask returns what the agent of an upstream says now, after it has said before. An error
// means that before goes on to hold.
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

// hear adds a line to what was said: words with space, tabs or commas between, of which
// down, failed and stopped may be followed by # and a reason.
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
		case strings.HasPrefix(word, "maxconn:"): // of no use here, see concurrency
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
