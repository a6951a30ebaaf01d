package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// http3Gate is a goodgate that speaks HTTP/3, with what its clients need.
type http3Gate struct {
	*gate
	ca   *certtest.Authority
	cert tls.Certificate
	file string // its configuration
}

// startHTTP3 runs goodgate with more settings of its listener and of the file.
func startHTTP3(t *testing.T, listener, rest string, env ...string) *http3Gate {
	t.Helper()
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	site := ca.Issue("127.0.0.1", "localhost")
	cert, key := ca.Files(dir, "site", site)
	env = append(env, "CERT="+cert, "KEY="+key, "CA="+ca.File(dir))
	g := startGateIn(t, dir, http3Config(listener, rest), env...)
	waitFor(t, "HTTP/3", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := quic.DialAddr(ctx, g.address, &tls.Config{RootCAs: ca.Pool(), NextProtos: []string{http3.NextProtoH3}}, nil)
		if err == nil {
			c.CloseWithError(0, "")
		}
		return err == nil
	})
	return &http3Gate{gate: g, ca: ca, cert: site, file: dir + "/goodgate.yaml"}
}

func http3Config(listener, rest string) string {
	return `
listeners:
  - address: "${LISTEN}"
    tls:
      certificates: [{cert: "${CERT}", key: "${KEY}"}]
` + listener + "\n" + rest
}

// client returns a client that speaks only HTTP/3, over one connection.
func (g *http3Gate) client(certs ...tls.Certificate) *http.Client {
	t := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: g.ca.Pool(), Certificates: certs},
		QUICConfig:      &quic.Config{HandshakeIdleTimeout: 10 * time.Second},
	}
	g.t.Cleanup(func() { t.Close() })
	return &http.Client{Transport: t, Timeout: 30 * time.Second}
}

// tcp returns a client that uses TCP.
func (g *http3Gate) tcp(http2 bool) *http.Client {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.ca.Pool()}, ForceAttemptHTTP2: http2}
	g.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: 30 * time.Second}
}

func (g *http3Gate) url(path string) string { return "https://" + g.address + path }

// get sends a GET, and returns the answer and its body.
func (g *http3Gate) get(c *http.Client, path string) (*http.Response, string) {
	g.t.Helper()
	res, err := c.Get(g.url(path))
	if err != nil {
		g.t.Fatalf("GET %s: %v", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatalf("GET %s: the body: %v", path, err)
	}
	return res, string(body)
}

// told is an application that describes its requests.
func told(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("Alt-Svc", `h3=":1"`)
		w.Header().Set("Trailer", "X-After")
		fmt.Fprintf(w, "%s %s %d %d %v %v by=%s for=%s proto=%s", r.Method, r.Host, r.ContentLength, n, r.TransferEncoding, err,
			r.Header.Get("Via"), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"))
		w.Header().Set("X-After", "all")
	}))
	t.Cleanup(s.Close)
	return s
}

// A request over HTTP/3 arrives like one over TCP, and answers over TCP advertise
// HTTP/3.
func TestHTTP3(t *testing.T) {
	t.Parallel()
	g := startHTTP3(t, "    http3: {enabled: true}", `pools: {app: {upstreams: ["${APP}"]}}`, "APP="+told(t).URL)
	_, port, _ := strings.Cut(g.address, ":")
	c := g.client()
	for _, how := range []struct {
		c       *http.Client
		version string
		altSvc  string
	}{{g.tcp(false), "1.1", fmt.Sprintf(`[h3=":%s"; ma=86400]`, port)}, {g.tcp(true), "2.0", fmt.Sprintf(`[h3=":%s"; ma=86400]`, port)}, {c, "3.0", `[h3=":1"]`}} {
		res, body := g.get(how.c, "/")
		want := fmt.Sprintf("GET %s 0 0 [] <nil> by=%s goodgate for=127.0.0.1 proto=https", g.address, how.version)
		if body != want {
			t.Errorf("HTTP/%s: the application was asked %q, want %q", how.version, body, want)
		}
		if res.Proto != "HTTP/"+how.version {
			t.Errorf("got %s, want HTTP/%s", res.Proto, how.version)
		}
		if got := fmt.Sprint(res.Header["Alt-Svc"]); got != how.altSvc {
			t.Errorf("HTTP/%s: Alt-Svc is %s, want %s", how.version, got, how.altSvc)
		}
		if got := res.Trailer.Get("X-After"); got != "all" {
			t.Errorf("HTTP/%s: the trailer is %q", how.version, got)
		}
		e := g.request(res.Header.Get("X-Request-Id"))
		if e.Status != 200 {
			t.Errorf("HTTP/%s: the log says %+v", how.version, e)
		}
	}
	big := bytes.Repeat([]byte("x"), 1<<20)
	for _, body := range []io.Reader{bytes.NewReader(big), io.MultiReader(bytes.NewReader(big))} {
		res, err := c.Post(g.url("/"), "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		want := "POST " + g.address + " 1048576 1048576 [] <nil>"
		if _, sized := body.(*bytes.Reader); !sized {
			want = "POST " + g.address + " -1 1048576 [chunked] <nil>"
		}
		if !strings.HasPrefix(string(got), want) {
			t.Errorf("1 MiB: got %q, want %q", got, want)
		}
	}
	r, _ := http.NewRequest("GET", g.url("/"), nil)
	r.Header.Set("X-Long", strings.Repeat("x", 70<<10))
	res, err := c.Do(r)
	if err != nil {
		t.Fatal("a header of 70 KiB: ", err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 70 KiB: got %s, want 431", res.Status)
	}
	if res, body := g.get(c, "/again"); res.StatusCode != 200 {
		t.Errorf("after it: got %s: %s", res.Status, body)
	}
	g.finish()
}

// A stream arrives as it comes, and a client that goes away ends it at the
// application too.
func TestHTTP3Stream(t *testing.T) {
	t.Parallel()
	more, gone := make(chan bool), make(chan bool)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one\n")
		http.NewResponseController(w).Flush()
		<-more
		io.WriteString(w, "two\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	defer app.Close()
	g := startHTTP3(t, "    http3: {enabled: true}", `pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", g.url("/"), nil)
	res, err := g.client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, want := range []string{"one\n", "two\n"} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		if want == "one\n" {
			more <- true
		}
	}
	leave()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the application was not told that the client is gone")
	}
	if e := g.request(res.Header.Get("X-Request-Id")); e.Reason != "client_gone" {
		t.Errorf("got %+v, want client_gone", e)
	}
}

// An upstream that is dead costs the client nothing.
func TestHTTP3HidesDeadUpstream(t *testing.T) {
	t.Parallel()
	g := startHTTP3(t, "    http3: {enabled: true}", `pools: {app: {policy: first, health: {type: none}, upstreams: ["http://${DEAD}", "${APP}"]}}`,
		"DEAD="+freeAddress(t), "APP="+told(t).URL)
	c := g.client()
	res, err := c.Post(g.url("/"), "text/plain", strings.NewReader("once"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if e := g.request(res.Header.Get("X-Request-Id")); res.StatusCode != 200 || len(e.Attempts) != 2 || e.Attempts[0].Reason != "connect_refused" {
		t.Errorf("got %s after %+v", res.Status, e.Attempts)
	}
}

// The client notices a response that breaks off: its stream is reset.
func TestHTTP3Truncated(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Write(make([]byte, 500_000))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer app.Close()
	g := startHTTP3(t, "    http3: {enabled: true}", `pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	res, err := g.client().Get(g.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if reset, ok := errors.AsType[*http3.Error](err); !ok || !reset.Remote {
		t.Errorf("got %d bytes and %v, want a stream that is reset", n, err)
	}
}

// A client that needs a certificate over TCP also needs one over QUIC.
func TestHTTP3ClientCertificate(t *testing.T) {
	t.Parallel()
	g := startHTTP3(t, "      client_ca: \"${CA}\"\n    http3: {enabled: true}", `
log: {format: common, output: stdout}
pools: {app: {upstreams: ["${APP}"]}}`, "APP="+told(t).URL)
	if res, err := g.client().Get(g.url("/")); err == nil {
		res.Body.Close()
		t.Errorf("without a certificate: got %s", res.Status)
	}
	other := certtest.NewAuthority(t, "other")
	if res, err := g.client(other.Issue("stranger")).Get(g.url("/")); err == nil {
		res.Body.Close()
		t.Errorf("with a stranger's: got %s", res.Status)
	}
	if res, body := g.get(g.client(g.ca.Issue("client")), "/"); res.StatusCode != 200 {
		t.Errorf("with one: got %s: %s", res.Status, body)
	}
	waitFor(t, "the log to tell the version", func() bool { return strings.Contains(g.out.String(), `"GET / HTTP/3.0" 200`) })
}

// gated is an application whose answers wait until the test releases them.
func gated(t *testing.T) (app *httptest.Server, begun, word chan bool) {
	begun, word = make(chan bool, 1), make(chan bool)
	app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- true
			<-word
		}
		io.WriteString(w, "answered")
	}))
	t.Cleanup(app.Close)
	return app, begun, word
}

// asking requests /slow and returns a channel for the result.
func (g *http3Gate) asking(c *http.Client) (answer chan string) {
	answer = make(chan string, 1)
	go func() {
		res, err := c.Get(g.url("/slow"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		answer <- fmt.Sprint(string(body), " ", err)
	}()
	return answer
}

// A drain answers requests in flight, lets clients leave, and accepts no new ones over
// UDP.
func TestHTTP3Drain(t *testing.T) {
	t.Parallel()
	app, begun, word := gated(t)
	g := startHTTP3(t, "    http3: {enabled: true}", "shutdown: {lame_duck: 1s, grace: 20s}\n"+`pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	idle := g.client()
	g.get(idle, "/")
	answer := g.asking(g.client())
	<-begun
	g.signal(os.Signal(syscall.SIGTERM))
	g.waitMessage("shutting down")
	waitFor(t, "new connections to be refused", func() bool {
		res, err := g.client().Get(g.url("/"))
		if err == nil {
			res.Body.Close()
		}
		refused, ok := errors.AsType[*quic.TransportError](err)
		return ok && refused.ErrorCode == quic.ConnectionRefused
	})
	if res, _ := g.get(g.tcp(false), "/"); res.Header["Alt-Svc"] != nil {
		t.Errorf("a client by TCP is told of HTTP/3 that ends: %v", res.Header["Alt-Svc"])
	}
	word <- true
	if got := <-answer; got != "answered <nil>" {
		t.Errorf("what was under way: got %s", got)
	}
	if got := g.wait(); got != 0 {
		t.Errorf("exit code %d", got)
	}
}

// Requests that do not end in the grace time are aborted.
func TestHTTP3GraceEnds(t *testing.T) {
	t.Parallel()
	app, begun, word := gated(t)
	defer close(word)
	g := startHTTP3(t, "    http3: {enabled: true}", "shutdown: {lame_duck: 0s, grace: 1s}\n"+`pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	answer := g.asking(g.client())
	<-begun
	g.signal(os.Signal(syscall.SIGTERM))
	if got := <-answer; !strings.Contains(got, "shutting_down") {
		t.Errorf("got %q, want shutting_down", got)
	}
	if got := g.wait(); got != 0 {
		t.Errorf("exit code %d", got)
	}
}

// A reload applies new rules, and turns HTTP/3 off and on, without an effect on TCP
// clients. Requests in flight are answered.
func TestHTTP3Reload(t *testing.T) {
	t.Parallel()
	app, begun, word := gated(t)
	rest := "shutdown: {lame_duck: 1s, grace: 20s}\n" + `pools: {app: {upstreams: ["${APP}"]}}`
	g := startHTTP3(t, "    http3: {enabled: true}", rest, "APP="+app.URL)
	for _, listener := range []string{"    http3: {enabled: true, max_streams: 10}", "", "    http3: {enabled: true}"} {
		on := listener != ""
		old := g.client()
		answer := make(chan string, 1)
		was := strings.Contains(fmt.Sprint(altSvc(g)), "h3=")
		if was {
			answer = g.asking(old)
			<-begun
		}
		g.reload(listener, rest)
		if got := strings.Contains(fmt.Sprint(altSvc(g)), "h3="); got != on {
			t.Errorf("http3 %q: Alt-Svc is there: %v", listener, got)
		}
		res, err := g.client().Get(g.url("/"))
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != on {
			t.Errorf("http3 %q: a new client: %v", listener, err)
		}
		if was {
			word <- true
			if got := <-answer; got != "answered <nil>" {
				t.Errorf("http3 %q: what was under way: got %s", listener, got)
			}
		}
	}
}

// reload puts another configuration into use.
func (g *http3Gate) reload(listener, rest string) {
	g.t.Helper()
	n := strings.Count(g.out.String(), "configuration reloaded")
	if err := os.WriteFile(g.file, []byte(http3Config(listener, rest)), 0o644); err != nil {
		g.t.Fatal(err)
	}
	g.signal(os.Signal(syscall.SIGHUP))
	waitFor(g.t, "the reload", func() bool { return strings.Count(g.out.String(), "configuration reloaded") > n })
}

// altSvc returns the Alt-Svc field for a new TCP client.
func altSvc(g *http3Gate) []string {
	g.t.Helper()
	res, _ := g.get(g.tcp(false), "/")
	return res.Header["Alt-Svc"]
}

// While a new process takes over, the old one answers its requests over QUIC, and the
// new one accepts connections after that.
func TestHTTP3Upgrade(t *testing.T) {
	t.Parallel()
	app, begun, word := gated(t)
	g := startHTTP3(t, "    http3: {enabled: true}", "shutdown: {lame_duck: 1s, grace: 20s}\n"+`pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	answer := g.asking(g.client())
	<-begun
	g.signal(os.Signal(syscall.SIGUSR2))
	g.waitMessage("HTTP/3 waits until")
	pid := g.servingPID(2)
	defer syscall.Kill(pid, syscall.SIGKILL)
	if got := altSvc(g); got != nil {
		t.Errorf("a client by TCP is told %v while nobody takes connections", got)
	}
	word <- true
	if got := <-answer; got != "answered <nil>" {
		t.Errorf("what was under way: got %s", got)
	}
	g.waitLog("HTTP/3", func(e entry) bool { return e.Msg == "HTTP/3 started" })
	if res, _ := g.get(g.client(), "/"); res.Proto != "HTTP/3.0" {
		t.Errorf("got %s", res.Proto)
	}
	syscall.Kill(pid, syscall.SIGINT)
	syscall.Kill(pid, syscall.SIGINT)
}

// goodgate does not wait for ever for clients that stop sending or reading, and answers a
// body that is too large.
func TestHTTP3SlowClients(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for range 16 {
			w.Write(make([]byte, 1<<20))
		}
	}))
	defer app.Close()
	g := startHTTP3(t, "    timeouts: {body_idle: 300ms, write_idle: 300ms}\n    limits: {max_body: 2MiB}\n    http3: {enabled: true}",
		`pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	c := g.client()
	stalled, stall := io.Pipe()
	defer stall.Close()
	for _, tt := range []struct {
		body   io.Reader
		status int
	}{{stalled, http.StatusRequestTimeout}, {bytes.NewReader(make([]byte, 3<<20)), http.StatusRequestEntityTooLarge}} {
		res, err := c.Post(g.url("/"), "text/plain", tt.body)
		if err != nil {
			t.Fatalf("want %d: %v", tt.status, err)
		}
		res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("got %s, want %d", res.Status, tt.status)
		}
	}
	res, err := c.Get(g.url("/large"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if e := g.request(res.Header.Get("X-Request-Id")); e.Reason != "client_gone" {
		t.Errorf("a client that takes nothing: got %+v, want client_gone", e)
	}
}

// page sends several concurrent POST requests, and reports their results and protocols.
const page = `<!doctype html><p id=out></p><script>
let answered = 0, failed = [];
async function client(n) {
	for (let i = 0; i < 20; i++) {
		try {
			const body = n + "-" + i + "x".repeat(20000);
			const res = await fetch("/echo", {method: "POST", body});
			if (res.status != 200 || await res.text() != body) throw res.status;
			answered++;
		} catch (e) { failed.push(String(e)); }
	}
}
function ask() {
	Promise.all([1, 2, 3, 4].map(client)).then(() => {
		const by = new Set(performance.getEntriesByType("resource").map(e => e.nextHopProtocol));
		document.querySelector("#out").innerText = answered + " answered by " + [...by] + ", failed: " + failed;
	});
	return "";
}
</script>`

// A real browser speaks HTTP/3 with goodgate, and connects again after a reload has ended
// its connection.
func TestHTTP3Chromium(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
	}))
	defer app.Close()
	const rest = `pools: {app: {upstreams: ["${APP}"]}}`
	g := startHTTP3(t, "    http3: {enabled: true}", rest, "APP="+app.URL)
	pin := sha256.Sum256(g.cert.Leaf.RawSubjectPublicKeyInfo)
	b := startBrowser(t, chromium, chromedp.Flag("origin-to-force-quic-on", g.address),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(pin[:])))
	b.run(chromedp.Navigate(g.url("/")))
	act(b, chromedp.Evaluate[string]("ask()"))
	b.waitText("#out", "80 answered by h3, failed:")
	g.reload("    http3: {enabled: true, max_streams: 100}", rest)
	g.get(g.client(), "/") // the browser knows of HTTP/3 by now
	act(b, chromedp.Evaluate[string]("ask()"))
	b.waitText("#out", "160 answered by h3, failed:")
}

// Clients resume sessions. goodgate accepts no early data, because it could be replayed.
func TestHTTP3Resumes(t *testing.T) {
	t.Parallel()
	g := startHTTP3(t, "    http3: {enabled: true}", `pools: {app: {upstreams: ["${APP}"]}}`, "APP="+told(t).URL)
	cache := tickets{tls.NewLRUClientSessionCache(1), make(chan bool, 10)}
	var last quic.ConnectionState
	for _, resumed := range []bool{false, true} {
		tr := &http3.Transport{
			TLSClientConfig: &tls.Config{RootCAs: g.ca.Pool(), ClientSessionCache: cache},
			Dial: func(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
				c, err := quic.DialAddrEarly(ctx, addr, t, q)
				if err == nil {
					<-c.HandshakeComplete()
					last = c.ConnectionState()
				}
				return c, err
			},
		}
		if res, body := g.get(&http.Client{Transport: tr, Timeout: 20 * time.Second}, "/"); res.StatusCode != 200 {
			t.Errorf("got %s: %s", res.Status, body)
		}
		<-cache.put
		tr.Close()
		if last.TLS.DidResume != resumed || last.Used0RTT {
			t.Errorf("resumed %v with early data %v, want %v and none", last.TLS.DidResume, last.Used0RTT, resumed)
		}
	}
}

// tickets signals when it has a session ticket.
type tickets struct {
	tls.ClientSessionCache
	put chan bool
}

func (c tickets) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	c.put <- true
}

// A connection on which most requests are cancelled as soon as they reach an
// upstream is closed.
func TestHTTP3Resets(t *testing.T) {
	t.Parallel()
	begun := make(chan bool)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- true
		<-r.Context().Done()
	}))
	defer app.Close()
	g := startHTTP3(t, "    http3: {enabled: true, max_resets: 20}", `pools: {app: {health: {type: none}, retry: {hedge: {budget: 0%}}, upstreams: ["${APP}"]}}`, "APP="+app.URL)
	c := g.client()
	closed := func() bool { return strings.Contains(g.out.String(), "cancels most of its requests") }
	for range 300 {
		if closed() {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", g.url("/"), nil)
		done := make(chan bool)
		go func() {
			if res, err := c.Do(r); err == nil {
				res.Body.Close()
			}
			close(done)
		}()
		select {
		case <-begun:
		case <-done:
		}
		cancel()
		<-done
	}
	waitFor(t, "the connection to be closed", closed)
}
