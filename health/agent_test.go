package health

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// The words come from HAProxy's manual, and from agents of HAProxy and others.
func TestAgentWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lines, want string }{
		{"75%", "75%"}, {"0%", "0%"}, {"256%", "256%"}, {"up", "100%"}, {"UP 50%", "50%"}, {"50%,up", "50%"}, {"up\t50%", "50%"},
		{"down", "down"}, {"down # the disk is full 12%", "down"}, {"failed#x", "down"}, {"fail", "down"}, {"stopped", "down"}, {"maint", "drain"}, {"drain", "drain"},
		{"drain|75%", "drain"}, {"drain|ready", "100%"}, {"drain|up", "drain"}, {"drain|75%|ready", "75%"},
		{"down|50%", "down"}, {"down|50%|up", "50%"}, {"down|ready", "down"}, {"75%|up", "75%"}, {"75%|100%", "100%"},
		{"75% maxconn:30", "75%"}, {"maxconn:30 drain", "drain"}, {" up ", "100%"},
		{"75%|257%", "75%"}, {"75%|-1%", "75%"}, {"75%|%", "75%"}, {"75%|75", "75%"}, {"75%|hello", "75%"}, {"75%|up hello", "75%"}, {"75%|", "75%"}, {"75%|# nothing", "75%"},
		{"75%|HTTP/1.0 400 Bad Request", "75%"}, {"down|1e2%", "down"},
	} {
		var w AgentWord
		for line := range strings.SplitSeq(c.lines, "|") {
			w, _ = w.hear(line)
		}
		if w.String() != c.want {
			t.Errorf("%q: got %v, want %s", c.lines, w, c.want)
		}
		if out := c.want == "0%" || c.want == "down" || c.want == "drain"; w.Out() != out {
			t.Errorf("%q: out is %v, want %v", c.lines, w.Out(), out)
		}
	}
}

func TestAgentAsk(t *testing.T) {
	t.Parallel()
	f := func(serve func(net.Conn), send, want, failure string) {
		t.Helper()
		addr := listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) { defer c.Close(); serve(c) })
		u := upstreams(t, "127.0.0.1:1")[0]
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("test limit"))
		defer cancel()
		word, err := Agent{Port: portOf(addr), Send: []byte(send)}.Ask(ctx, u, AgentWord{Percent: 42, Weighted: true})
		if word.String() != want || (err != nil) != (failure != "") || err != nil && !strings.Contains(err.Error(), failure) {
			t.Errorf("got %v, %v, want %s and %q in the error", word, err, want, failure)
		}
	}
	say := func(texts ...string) func(net.Conn) {
		return func(c net.Conn) {
			for _, text := range texts {
				io.WriteString(c, text)
			}
		}
	}
	f(say("75%\n"), "", "75%", "")
	f(say("75%\r\nrest"), "", "75%", "")
	f(say("75%"), "", "75%", "") // ended by the connection's end
	f(say("7", "5", "%", "\n"), "", "75%", "")
	f(say("drain\n"), "ignored", "drain", "")
	f(func(c net.Conn) {
		var b [8]byte
		n, _ := io.ReadFull(c, b[:5])
		io.WriteString(c, string(b[:n])+"%\n")
	}, "00012", "12%", "")
	f(say(""), "", "42%", "waiting for the agent")
	f(say("\n"), "", "42%", "said nothing")
	f(say(strings.Repeat("x", 2000)), "", "42%", "longer than 1024")
	f(say("hello\n"), "", "42%", `"hello"`)
	f(func(c net.Conn) { io.Copy(io.Discard, c) }, "", "42%", "test limit")
	u := upstreams(t, "127.0.0.1:1")[0]
	if w, err := (Agent{Port: portOf(refused(t))}).Ask(t.Context(), u, AgentWord{Drain: true}); err == nil || !w.Drain || Result(err) != balancer.Refused {
		t.Errorf("got %v, %v, want what was said before, and an error", w, err)
	}
}
