package gate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
)

// oneAtATime is a server that takes a connection when it has done with the one before,
// as php -S, and Python's http.server.HTTPServer. /slow takes until release is closed.
type oneAtATime struct {
	addr    string
	began   chan struct{} // closed at the first request for /slow
	release chan struct{}
}

func startOneAtATime(t *testing.T) *oneAtATime {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &oneAtATime{addr: ln.Addr().String(), began: make(chan struct{}), release: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return s
}

func (s *oneAtATime) serve(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	if r.URL.Path == "/slow" {
		close(s.began)
		<-s.release
	}
	io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
}

// A server that is busy with one request cannot answer its check. If it is the only one
// of its pool, it is still used, and no request fails.
func TestBusyServerIsUsed(t *testing.T) {
	t.Parallel()
	app := startOneAtATime(t)
	g := start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: ["http://%s"], health: {interval: 50ms, fast_interval: 50ms, timeout: 50ms}}}`, app.addr)), Options{})
	var member balancer.Member
	eventually(t, "the first checks", func() bool {
		member = g.gate.Pools()[0].Members()[0]
		return member.Available()
	}, func() string { return statesOf(g.gate.Pools()[0].Members()) })

	if got := get(t, "http://"+g.addrs[0]+"/"); got != "200 hi" {
		t.Errorf("got %q of a server that is not busy", got)
	}
	answers := make(chan string, 4)
	ask := func(path string) {
		res, err := http.Get("http://" + g.addrs[0] + path)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answers <- fmt.Sprint(res.StatusCode, " ", string(b))
	}
	go ask("/slow")
	<-app.began
	eventually(t, "its checks to fail", func() bool { return member.Health() == balancer.Down }, func() string { return statesOf([]balancer.Member{member}) })
	if !member.Available() || !member.Trusted() {
		t.Errorf("the only upstream is not used: %s", statesOf([]balancer.Member{member}))
	}
	for range cap(answers) - 1 {
		go ask("/")
	}
	eventually(t, "the requests", func() bool { return member.InFlight() == cap(answers) }, func() string { return fmt.Sprint(member.InFlight(), " under way") })
	close(app.release)
	for range cap(answers) {
		if got := <-answers; !strings.HasPrefix(got, "200 hi") {
			t.Errorf("a client got %q", got)
		}
	}
	eventually(t, "its checks to pass", func() bool { return member.Health() == balancer.Up }, func() string { return statesOf([]balancer.Member{member}) })
}
