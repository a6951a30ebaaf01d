package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/firewall"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// asker asks whether a call is unacknowledged, until it is or up to a number of times.
type asker struct {
	call  *Call
	end   func()
	looks int
	saw   bool
}

func (a *asker) Slow() context.Context {
	a.looks++
	a.saw = a.saw || a.call.Unacknowledged(50*time.Millisecond)
	if a.saw || a.looks == 40 {
		a.end()
		return nil
	}
	a.call.SlowAt = time.Now().Add(25 * time.Millisecond)
	return nil
}

// TestUnacknowledged: a waiting call sees that its connection is dead. It sees nothing of
// the kind if only the upstream's process does not answer. A call can ask for a
// connection other than the idle ones.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{true, false} {
		conns := make(chan *net.TCPConn, 2)
		addr := serveRaw(t, func(c *net.TCPConn) {
			conns <- c
			br := bufio.NewReader(c)
			readRequest(br)
			io.WriteString(c, okResponse)
			readRequest(br)
			br.Peek(1) // hangs
		})
		tr := transport(t, addr)
		get(t, tr, &Call{})
		c := <-conns
		t.Cleanup(func() { c.Close() })
		if dead {
			if err := firewall.Forget(c); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		call := Call{Context: ctx, SlowAt: time.Now()}
		a := &asker{call: &call, end: cancel}
		call.Slow = a
		if _, err := tr.RoundTrip(request(t, "GET", "").WithContext(ctx), &call); err == nil {
			t.Error("the call did not fail")
		}
		if a.saw != dead {
			t.Errorf("dead %t: unacknowledged: got %t after %d looks", dead, a.saw, a.looks)
		}
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	addr := serveRaw(t, func(c *net.TCPConn) {
		for br := bufio.NewReader(c); ; {
			if _, _, err := readRequest(br); err != nil {
				return
			}
			io.WriteString(c, okResponse)
		}
	})
	tr := transport(t, addr)
	get(t, tr, &Call{})
	for _, fresh := range []bool{true, false} {
		call := Call{Fresh: fresh}
		get(t, tr, &call)
		if call.Reused == fresh {
			t.Errorf("fresh %t: reused %t", fresh, call.Reused)
		}
	}
}

// TestUnacknowledgedJustNow: bytes sent a moment ago, after a long silence, are not
// overdue. A ping of HTTP/2 is one case.
func TestUnacknowledgedJustNow(t *testing.T) {
	t.Parallel()
	conns := make(chan *net.TCPConn, 1)
	here, err := net.Dial("tcp", serveRaw(t, func(c *net.TCPConn) {
		conns <- c
		io.Copy(io.Discard, c)
	}))
	if err != nil {
		t.Fatal(err)
	}
	there := <-conns
	t.Cleanup(func() { there.Close() })
	defer here.Close()
	raw := socket.Raw(here)
	var call Call
	call.Over(&raw)
	if call.Unacknowledged(0) {
		t.Error("before anything was sent")
	}
	if err := firewall.Forget(there); err != nil {
		t.Fatal(err)
	}
	io.WriteString(here, "ping")
	if call.Unacknowledged(0) {
		t.Error("at once")
	}
	for range 1000 {
		if call.Unacknowledged(0) {
			return
		}
		time.Sleep(time.Millisecond) // real time has to pass, and no longer than that
	}
	t.Error("never")
}
