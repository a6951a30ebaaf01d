package gate

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestListenerLimits goes through what a listener is given to what a client
// sees.
func TestListenerLimits(t *testing.T) {
	c := parse(t, fmt.Sprintf(`
listeners:
  - address: "127.0.0.1:0"
    limits: {max_body: 5B, rates: [{requests: 2, per: 1h}]}
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, app(t, "a")))
	g := start(t, c, Options{})
	url := "http://" + g.addrs[0] + "/"
	var got []int
	for range 3 {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		got = append(got, res.StatusCode)
	}
	if want := "[200 200 429]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestConnectionsPerClient(t *testing.T) {
	c := parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", connections_per_client: 2}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, app(t, "a")))
	g := start(t, c, Options{})
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range 3 {
		c, err := net.Dial("tcp", g.addrs[0])
		if i == 2 && err != nil { // the reset may come before Dial returns
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	open[2].SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := open[2].Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the third connection of one client: got %v, want a reset", err)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
