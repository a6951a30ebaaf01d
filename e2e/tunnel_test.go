package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// startUpgrading starts an application that upgrades every request, and then calls talk
// with the connection.
func startUpgrading(t *testing.T, talk func(c *net.TCPConn, r *bufio.Reader, path string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	upgradeAll(t, l, talk)
	return "http://" + l.Addr().String()
}

// upgradeAll is startUpgrading on an existing listener.
func upgradeAll(t *testing.T, l net.Listener, talk func(c *net.TCPConn, r *bufio.Reader, path string)) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				talk(c.(*net.TCPConn), r, req.URL.Path)
			}()
		}
	}()
}

// scrapeLine returns the value of a series of a running goodgate; "" without it.
func scrapeLine(t *testing.T, admin, series string) string {
	t.Helper()
	s := bufio.NewScanner(strings.NewReader(ask(t, admin, "GET", "/metrics", "Host: localhost", "Connection: close").body))
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), "goodgate_"+series+" "); ok {
			return v
		}
	}
	return ""
}

// TestTunnelHalfClose: when the client has shut down its side, the application
// continues, and vice versa. All bytes of both sides arrive, and are counted.
func TestTunnelHalfClose(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"client", "application"} {
		for _, by := range []string{"plain", "TLS", "bounded", "PROXY"} {
			t.Run(first+" first, "+by, func(t *testing.T) {
				t.Parallel()
				halfClose(t, first, by)
			})
		}
	}
}

// half is one side of a tunnel.
type half struct {
	t     *testing.T
	what  string
	first bool // it shuts down its side before it reads anything
}

const halfSize = 300_000

func (h half) talk(c io.Writer, r io.Reader) {
	if !h.first {
		h.listen(r)
	}
	for range 3 {
		c.Write(make([]byte, halfSize/3))
		time.Sleep(20 * time.Millisecond)
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	if h.first {
		h.listen(r)
	}
}

func (h half) listen(r io.Reader) {
	if n, err := io.Copy(io.Discard, r); n != halfSize || err != nil {
		h.t.Errorf("the %s got %d bytes, %v, want %d and the end", h.what, n, err, halfSize)
	}
}

func halfClose(t *testing.T, first, by string) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("127.0.0.1"))
	app := startUpgrading(t, func(c *net.TCPConn, r *bufio.Reader, _ string) {
		half{t, "application", first == "application"}.talk(c, r)
	})
	admin := freeAddress(t)
	listener := map[string]string{
		"TLS":     `tls: {certificates: [{cert: "${CERT}", key: "${KEY}"}]}`,
		"bounded": "max_connections: 10",
		"PROXY":   "proxy_protocol: [127.0.0.0/8]",
	}[by]
	g := startGate(t, `
listeners: [{address: "${LISTEN}", `+listener+`}]
admin: "${ADMIN}"
pools: {app: {health: {type: none}, upstreams: ["${APP}"]}}`, "APP="+app, "ADMIN="+admin, "CERT="+cert, "KEY="+key)
	g.ready("tcp", admin)
	c := connect(t, g.address)
	switch by {
	case "TLS":
		tc := tls.Client(c, &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1"})
		c = &conn{tc, bufio.NewReader(tc)}
	case "PROXY":
		io.WriteString(c, "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n")
	}
	c.upgrade(t)
	upstream := fmt.Sprintf(`upstream=%q}`, strings.TrimPrefix(app, "http://"))
	want := func(series, value string) {
		t.Helper()
		waitFor(t, series+" to be "+value, func() bool { return scrapeLine(t, admin, "upstream_tunnel"+series+upstream) == value })
	}
	want(`s_open{pool="app",`, "1")
	half{t, "client", first == "client"}.talk(c.Conn, c.r)
	want(`s_ended_total{by="closed",pool="app",`, "1")
	want(`s_ended_total{by="idle",pool="app",`, "0")
	want(`s_open{pool="app",`, "0")
	want(`s_opened_total{pool="app",`, "1")
	want(`_bytes_total{pool="app",to="client",`, strconv.Itoa(halfSize))
	want(`_bytes_total{pool="app",to="upstream",`, strconv.Itoa(halfSize))
}

// TestUpgradeBesideHTTP2: an upstream that prefers HTTP/2 gets upgrades over HTTP/1.1
// with protocol auto. With h2 the client gets the reason for the refusal.
func TestUpgradeBesideHTTP2(t *testing.T) {
	t.Parallel()
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			io.WriteString(w, r.Proto)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, rw)
	}))
	app.EnableHTTP2, app.TLS = true, &tls.Config{Certificates: []tls.Certificate{ca.Issue("127.0.0.1")}}
	app.StartTLS()
	defer app.Close()
	config := func(protocol string) *gate {
		return startGate(t, `
listeners: ["${LISTEN}"]
pools: {app: {protocol: `+protocol+`, tls: {ca: "${CA}"}, upstreams: ["${APP}"]}}`, "APP="+app.URL, "CA="+ca.File(dir))
	}
	auto := config("auto")
	if got := ask(t, auto.address, "GET", "/").body; got != "HTTP/2.0" {
		t.Errorf("auto: a GET came by %s, want HTTP/2.0", got)
	}
	upgrade(t, auto.address).wantEcho(t, "hello")
	if got := ask(t, auto.address, "GET", "/").body; got != "HTTP/2.0" {
		t.Errorf("auto, after it: a GET came by %s, want HTTP/2.0", got)
	}
	only := config("h2")
	if got := ask(t, only.address, "GET", "/").body; got != "HTTP/2.0" {
		t.Errorf("h2: a GET came by %s, want HTTP/2.0", got)
	}
	a := ask(t, only.address, "GET", "/", "Connection: Upgrade", "Upgrade: websocket")
	if got := a.Header.Get("Proxy-Status"); a.StatusCode != 501 || !strings.Contains(got, "upgrade_unsupported") {
		t.Errorf("h2: an upgrade got %s, %s", a.Status, got)
	}
	if e := only.request(a.Header.Get("X-Request-Id")); e.Reason != "upgrade_unsupported" {
		t.Errorf("h2: the log says %+v", e)
	}
}
