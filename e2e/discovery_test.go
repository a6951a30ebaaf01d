package e2e_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The file that lists the upstreams is replaced by renaming, under load: the new
// upstream is used, and the removed one completes its requests.
func TestUpstreamsFromFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stays, leaves, comes := startApp(t, "go", "stays"), startApp(t, "go", "leaves"), startApp(t, "node", "comes")
	replace := func(apps ...*app) {
		var list strings.Builder
		for _, a := range apps {
			list.WriteString("- " + a.url() + "\n")
		}
		if err := os.Rename(writeFile(t, dir, "new.yaml", list.String()), filepath.Join(dir, "upstreams.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	replace(stays, leaves)
	g := startGateIn(t, dir, `
listeners: ["${LISTEN}"]
pools:
  app: {policy: round_robin, upstreams: [{file: upstreams.yaml}]}
`)
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: mixed, keepAlive: true})
	l.until("an answer of the one that leaves", func(r result) bool { return r.app == leaves.name })
	slow := slowRequestTo(t, g, leaves.name)

	replace(stays, comes)
	l.until("an answer of the one that comes", func(r result) bool { return r.app == comes.name })
	seen := len(l.answered())
	l.more(50)
	if n := servedBy(l.answered()[seen+maxOvertaken:])[leaves.name]; n > 0 {
		t.Errorf("the one that left has answered %d of 50 requests since", n)
	}
	if err := <-slow; err != nil {
		t.Errorf("a request that the one that left had begun: %v", err)
	}
	leaves.kill() // no longer needed
	l.more(50)
	results := l.finish()
	g.finish()
	wantAllAnswered(t, results)
}

// maxOvertaken bounds the number of requests in flight that are answered later than a
// request sent after them.
const maxOvertaken = 20

// slowRequestTo sends requests with answers that take 1.5 s until an app has one of
// them, and returns a channel for the result.
func slowRequestTo(t *testing.T, g *gate, name string) <-chan error {
	t.Helper()
	for range 50 {
		c := connect(t, g.address)
		c.SetDeadline(time.Now().Add(bound))
		r := request(t, "GET", "/?trickle=1500")
		if err := r.Write(c); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(c.r, r)
		if err != nil {
			t.Fatal(err)
		}
		if res.Header.Get("X-App") != name {
			c.Close()
			continue
		}
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, res.Body)
			ended <- err
		}()
		return ended
	}
	t.Fatalf("50 requests, and none went to %s", name)
	return nil
}

// localhost has several addresses, and all of them are used.
func TestUpstreamByHostName(t *testing.T) {
	t.Parallel()
	addresses, err := net.LookupHost("localhost")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	for _, ip := range addresses {
		startAppAt(t, "go", ip, net.JoinHostPort(ip, port))
	}
	g := startSidecar(t, "http://localhost:"+port)
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: mixed, keepAlive: true})
	for _, ip := range addresses {
		l.until("an answer of "+ip, func(r result) bool { return r.app == ip })
	}
	wantAllAnswered(t, l.finish())
	if got := ask(t, g.address, "GET", "/").echo(t).Headers["host"]; got != "gate.test" {
		t.Errorf("Host %q, want the client's", got)
	}
	t.Logf("localhost is %s", strings.Join(addresses, ", "))
}

// A name server gives another address for a name: requests follow.
func TestNameMovesToAnotherAddress(t *testing.T) {
	t.Parallel()
	const from, to = "127.0.0.1", "127.0.0.2"
	ln, err := net.Listen("tcp", to+":0")
	if err != nil {
		lack(t, "%s is no address of this machine", to)
	}
	ln.Close()
	_, port, _ := net.SplitHostPort(freeAddress(t))
	before, after := startAppAt(t, "go", "before", from+":"+port), startAppAt(t, "go", "after", to+":"+port)
	dns := startNameServer(t, from)
	g := startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["http://app.example.test:${PORT}"]
    dns: {resolver: "${DNS}", min_ttl: 200ms}
`, "PORT="+port, "DNS="+dns.address)
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: mixed, keepAlive: true})
	l.until("an answer at the first address", func(r result) bool { return r.app == before.name })
	dns.set(to)
	l.until("an answer at the second address", func(r result) bool { return r.app == after.name })
	l.more(maxOvertaken)
	before.kill()
	l.more(50)
	wantAllAnswered(t, l.finish())
	g.finish()
}

// The reason names a host name that cannot be looked up.
func TestNameUnknown(t *testing.T) {
	t.Parallel()
	dns := startNameServer(t, "")
	g := startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["http://app.example.test:80"]
    dns: {resolver: "${DNS}"}
    hold: {for: 500ms}
`, "DNS="+dns.address)
	g.waitMessage("could not be looked up")
	a := ask(t, g.address, "GET", "/")
	if want := `goodgate; error=dns_error; details="dns_error"`; a.StatusCode != 502 || a.Header.Get("Proxy-Status") != want {
		t.Errorf("status %d, Proxy-Status %s, want 502, %s", a.StatusCode, a.Header.Get("Proxy-Status"), want)
	}
}
