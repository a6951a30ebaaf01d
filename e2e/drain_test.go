package e2e_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const drained = `
listeners: ["${LISTEN}"]
shutdown: {lame_duck: "${LAME_DUCK}", grace: "${GRACE}"}
pools:
  app: {upstreams: ["${A}"]}
`

// A goodgate is replaced by another behind nginx, as a deploy does it: SIGTERM,
// and nginx is pointed at the new one while the old one still answers.
func TestReplacedBehindNginx(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "go", "DELAY_MS=5")
	env := []string{"A=" + a.url(), "LAME_DUCK=2s", "GRACE=10s"}
	before, after := startGate(t, drained, env...), startGate(t, drained, env...)
	front := startNginx(t, before.address)
	// Each request uses its own connection: an nginx that reloads closes kept ones
	// without notice, which is not under test here.
	l := startLoad(t, load{address: fixed(front.address), rate: 150, methods: mixed})
	l.more(50)
	before.signal(syscall.SIGTERM)
	front.reload(after.address)
	if got := before.wait(); got != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", got)
	}
	l.more(50)
	wantAllAnswered(t, l.finish())
	after.finish()
	for name, g := range map[string]*gate{"before": before, "after": after} {
		if n := requests(g); n == 0 {
			t.Errorf("the goodgate %s has served no request: the test has tested nothing", name)
		}
	}
}

func requests(g *gate) int {
	n := 0
	for _, e := range g.log() {
		if e.Msg == "request" {
			n++
		}
	}
	return n
}

// The same without nginx, with clients that keep connections. Connection: close asks
// them to leave, and no connection is cut before the end of the lame-duck period.
func TestReplacedUnderKeptConnections(t *testing.T) {
	t.Parallel()
	const lameDuck = 2 * time.Second
	a := startApp(t, "go", "go", "DELAY_MS=5")
	env := []string{"A=" + a.url(), "LAME_DUCK=" + lameDuck.String(), "GRACE=10s"}
	before, after := startGate(t, drained, env...), startGate(t, drained, env...)
	var address atomic.Value
	address.Store(before.address)
	l := startLoad(t, load{address: func() string { return address.Load().(string) }, rate: 150, methods: mixed, keepAlive: true})
	l.more(50)
	busy, idle, slow := connect(t, before.address), connect(t, before.address), connect(t, before.address)
	for _, c := range []*conn{busy, idle} {
		if _, err := c.do(request(t, "GET", "/")); err != nil {
			t.Fatal(err)
		}
	}
	slowEnded := make(chan error, 1)
	outlasting := request(t, "GET", "/?wait=4000") // longer than the window, shorter than the grace
	go func() {
		_, err := slow.do(outlasting)
		slowEnded <- err
	}()

	a.waitBegan("GET", "/?wait=4000")
	address.Store(after.address)
	signalled := time.Now()
	before.signal(syscall.SIGTERM)
	l.until("Connection: close", func(r result) bool { return r.close })
	res, err := busy.do(request(t, "GET", "/"))
	if err != nil {
		t.Fatalf("a request on a kept connection in the lame-duck window: %v", err)
	}
	if res.StatusCode != 200 || !res.Close {
		t.Errorf("in the lame-duck window: status %d, close %t, want 200 and Connection: close", res.StatusCode, res.Close)
	}
	if open := untilClosed(t, idle, signalled); open < lameDuck {
		t.Errorf("an idle connection was closed %v after the signal, want not before %v", open, lameDuck)
	}
	if err := <-slowEnded; err != nil {
		t.Errorf("a request that outlasts the lame-duck window, within the grace: %v", err)
	}
	if got := before.wait(); got != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", got)
	}
	l.more(50)
	wantAllAnswered(t, l.finish())
}

// untilClosed waits for the other side to close, and returns the time from since until
// then.
func untilClosed(t *testing.T, c *conn, since time.Time) time.Duration {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(bound))
	_, err := c.r.ReadByte()
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("reading from a connection that should be closed: %v", err)
	}
	return time.Since(since)
}

// A second signal ends it at once, with any requests in flight.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			a := startApp(t, "go", "go")
			g := startGate(t, drained, "A="+a.url(), "LAME_DUCK=1m", "GRACE=1m")
			c := connect(t, g.address)
			endless := request(t, "GET", "/?wait=60000")
			ended := make(chan *answer, 1)
			go func() {
				res, _ := c.do(endless)
				ended <- res
			}()
			a.waitBegan("GET", "/?wait=60000")
			g.signal(s)
			g.waitMessage("shutting down")
			g.signal(s)
			if got := g.wait(); got != 0 {
				t.Errorf("exit code %d, want 0", got)
			}
			if a := <-ended; a != nil && a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("the request under way was answered with %d, want it cut or 503", a.StatusCode)
			}
		})
	}
}

// An upgraded connection, such as a WebSocket, lives until the grace ends.
func TestUpgradedConnectionLivesUntilGraceEnds(t *testing.T) {
	t.Parallel()
	const lameDuck, grace = 200 * time.Millisecond, 3 * time.Second
	a := startApp(t, "go", "go")
	g := startGate(t, drained, "A="+a.url(), "LAME_DUCK="+lameDuck.String(), "GRACE="+grace.String())
	c := upgrade(t, g.address)
	c.wantEcho(t, "before")
	signalled := time.Now()
	g.signal(syscall.SIGTERM)
	waitFor(t, "goodgate to stop listening", func() bool {
		other, err := net.DialTimeout("tcp", g.address, time.Second)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	c.wantEcho(t, "within the grace")
	if open := untilClosed(t, c, signalled); open < lameDuck+grace {
		t.Errorf("the upgraded connection was closed %v after the signal, want not before %v", open, lameDuck+grace)
	}
	if got := g.wait(); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}

// upgrade switches a connection to the protocol that echoes lines.
func upgrade(t *testing.T, address string) *conn {
	t.Helper()
	c := connect(t, address)
	c.upgrade(t)
	return c
}

func (c *conn) upgrade(t *testing.T) {
	t.Helper()
	c.SetDeadline(time.Now().Add(bound))
	io.WriteString(c, "GET /tunnel HTTP/1.1\r\nHost: gate.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	for first := true; ; first = false {
		line, err := c.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if first && !strings.HasPrefix(line, "HTTP/1.1 101 ") {
			t.Fatalf("answer to the upgrade: %q, want 101", line)
		}
		if line == "\r\n" {
			return
		}
	}
}

func (c *conn) wantEcho(t *testing.T, text string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(bound))
	io.WriteString(c, text+"\n")
	if got, err := c.r.ReadString('\n'); got != text+"\n" {
		t.Fatalf("echo of %q: %q, %v", text, got, err)
	}
}
