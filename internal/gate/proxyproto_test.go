package gate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// told is an upstream that requires the PROXY protocol. It answers with the client in its
// header, and the address of the connection.
type told struct {
	*httptest.Server
	mu    sync.Mutex // protects local
	local int        // connections without a client
}

type connKey struct{}

func tellsClients(t *testing.T, tls bool) *told {
	up := &told{}
	up.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s over %s by %s", r.RemoteAddr, r.Context().Value(connKey{}), r.Proto)
	}))
	up.Listener = &proxyproto.Listener{
		Listener:   up.Listener,
		ConnPolicy: func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil },
		ValidateHeader: func(h *proxyproto.Header) error {
			up.mu.Lock()
			defer up.mu.Unlock()
			if h.Command.IsLocal() {
				up.local++
			}
			return nil
		},
	}
	up.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, rawAddr(c))
	}
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetHTTP1(true)
	up.Config.Protocols.SetHTTP2(true)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
	up.EnableHTTP2 = true
	if tls {
		up.StartTLS()
	} else {
		up.Start()
	}
	t.Cleanup(up.Close)
	return up
}

// rawAddr is the real peer of a connection, independent of its header.
func rawAddr(c net.Conn) string {
	if s, ok := c.(*tls.Conn); ok {
		c = s.NetConn()
	}
	return c.(*proxyproto.Conn).Raw().RemoteAddr().String()
}

// seen is an upstream that answers with the client that it sees.
func seen(t *testing.T) string {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["X-Real-Ip"], r.Header.Get("X-Request-Id") == "evil")
	}))
	t.Cleanup(up.Close)
	return up.URL
}

// say sends a header of the PROXY protocol and a request from a peer that would be
// trusted on a unix socket. It returns the answer, "" without one.
func say(t *testing.T, addr string, h *proxyproto.Header) string {
	t.Helper()
	c := dialClient(t, addr)
	if _, err := h.WriteTo(c); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\nX-Request-Id: evil\r\n\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(res.Body)
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

// With the PROXY protocol the client is the one in the header, or the peer, and never
// counts as a client on a unix socket of this machine.
func TestProxyProtocolFamilies(t *testing.T) {
	unix := &net.UnixAddr{Name: "/run/client.sock", Net: "unix"}
	dgram := &net.UnixAddr{Name: "/run/client.sock", Net: "unixgram"}
	tcp := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7}
	for name, tc := range map[string]struct {
		h    proxyproto.Header
		want string
	}{
		"TCP":                     {proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4, SourceAddr: tcp, DestinationAddr: tcp}, "200 [192.0.2.7] [http] [] false"},
		"UDP":                     {proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UDPv4, SourceAddr: &net.UDPAddr{IP: tcp.IP, Port: 7}, DestinationAddr: &net.UDPAddr{IP: tcp.IP, Port: 7}}, "200 [192.0.2.7] [http] [] false"},
		"AF_UNIX":                 {proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixStream, SourceAddr: unix, DestinationAddr: unix}, "200 [127.0.0.1] [http] [] false"},
		"AF_UNIX, datagrams":      {proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixDatagram, SourceAddr: dgram, DestinationAddr: dgram}, "200 [127.0.0.1] [http] [] false"},
		"AF_UNIX without a name":  {proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixStream, SourceAddr: &net.UnixAddr{Net: "unix"}, DestinationAddr: &net.UnixAddr{Net: "unix"}}, "200 [127.0.0.1] [http] [] false"},
		"AF_UNIX like an address": {proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixStream, SourceAddr: &net.UnixAddr{Name: "10.0.0.9:1", Net: "unix"}, DestinationAddr: unix}, "200 [127.0.0.1] [http] [] false"},
		"LOCAL":                   {proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}, "200 [127.0.0.1] [http] [] false"},
		"v1, UNKNOWN":             {proxyproto.Header{Version: 1, Command: proxyproto.LOCAL}, "200 [127.0.0.1] [http] [] false"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", proxy_protocol: [127.0.0.1], limits: {rates: [{requests: 1, per: 1h}]}}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, seen(t))), Options{})
			if got := say(t, r.addrs[0], &tc.h); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if got := say(t, r.addrs[0], &tc.h); !strings.HasPrefix(got, "429") {
				t.Errorf("the second request within an hour: got %q, want 429", got)
			}
		})
	}
}

// A header may arrive in pieces, even byte by byte (varnishcache/varnish-cache#2151).
// The bytes after it in the same packet are read, too.
func TestProxyProtocolInPieces(t *testing.T) {
	r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", proxy_protocol: [127.0.0.1]}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, seen(t))), Options{})
	tcp := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7}
	v2, err := (&proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4, SourceAddr: tcp, DestinationAddr: tcp}).Format()
	if err != nil {
		t.Fatal(err)
	}
	for version, header := range map[string]string{"v1": "PROXY TCP4 192.0.2.7 192.0.2.1 7 80\r\n", "v2": string(v2)} {
		for _, pieces := range [][]int{{1}, {3, 9}, {5}, {len(header) - 1}, {len(header) - 2, len(header) - 1}, {len(header)}} {
			c := dialClient(t, r.addrs[0])
			text, from := header+"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0
			for _, to := range append(pieces, len(text)) {
				io.WriteString(c, text[from:to])
				from = to
				time.Sleep(20 * time.Millisecond) // a separate packet
			}
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			res, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Errorf("%s, cut at %v: %v", version, pieces, err)
				continue
			}
			body, _ := io.ReadAll(res.Body)
			if !strings.HasPrefix(string(body), "[192.0.2.7]") {
				t.Errorf("%s, cut at %v: got %q", version, pieces, body)
			}
		}
	}
}

// A connection without a valid header is closed, and the log has the peer and the cause.
// A peer that only checks the port causes no line.
func TestProxyProtocolRefusalsAreLogged(t *testing.T) {
	for name, text := range map[string]string{
		"none":        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"malformed":   "PROXY TCP4 192.0.2.7 nobody 7 80\r\n",
		"too long":    "PROXY TCP4 " + strings.Repeat("1", 200),
		"a bare LF":   "PROXY TCP4 192.0.2.7 192.0.2.1 7 80\n",
		"broken off":  "PROXY TCP4 192.0.2.7",
		"nothing":     "",
		"no v2 of it": "\r\n\r\n\x00\r\nQUIT\n\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			var log logtest.Buffer
			r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", proxy_protocol: [127.0.0.1]}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, seen(t))), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			c := dialClient(t, r.addrs[0])
			io.WriteString(c, text)
			c.Conn.(*net.TCPConn).CloseWrite()
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if b, err := io.ReadAll(c.r); len(b) > 0 || timedOut(err) {
				t.Errorf("got %q, %v, want a closed connection", b, err)
			}
			got := log.Line("PROXY protocol")
			if want := text != ""; (got != "") != want || want && !strings.Contains(got, "peer="+c.LocalAddr().String()) {
				t.Errorf("the log has %q", got)
			}
		})
	}
}

func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// Behind the PROXY protocol it is a client's connections that are counted, not
// the load balancer's.
func TestConnectionsPerClientOfTheProxyProtocol(t *testing.T) {
	r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", proxy_protocol: [127.0.0.1], connections_per_client: 1}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, seen(t))), Options{})
	of := func(last byte) *proxyproto.Header {
		a := &net.TCPAddr{IP: net.IPv4(192, 0, 2, last), Port: 7}
		return &proxyproto.Header{Version: 1, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4, SourceAddr: a, DestinationAddr: a}
	}
	for i := range byte(3) {
		if got := say(t, r.addrs[0], of(i)); !strings.HasPrefix(got, "200 ") {
			t.Errorf("the first connection of client %d: got %q", i, got)
		}
	}
	for range 3 {
		if got := say(t, r.addrs[0], &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}); !strings.HasPrefix(got, "200 ") {
			t.Errorf("a connection of the load balancer's own: got %q", got)
		}
	}
	if got := say(t, r.addrs[0], of(1)); got != "" {
		t.Errorf("the second connection of a client: got %q, want none", got)
	}
}

// Every upstream connection begins with the address of the client that it is
// for, and no two clients share one.
func TestProxyProtocolOut(t *testing.T) {
	for _, tc := range []struct {
		name, version, protocol, health string
		tls                             bool
		proto                           string
	}{
		{"v1", "v1", "http1", "{path: /}", false, "HTTP/1.1"},
		{"v2", "v2", "http1", "{path: /}", false, "HTTP/1.1"},
		{"v2, by TCP", "v2", "http1", "{type: tcp}", false, "HTTP/1.1"},
		{"v1 before TLS", "v1", "http1", "{path: /}", true, "HTTP/1.1"},
		{"v2 before TLS, which chooses", "v2", "auto", "{path: /}", true, "HTTP/2.0"},
		{"v2, h2c", "v2", "h2c", "{path: /}", false, "HTTP/2.0"},
		{"v1, h2", "v1", "h2", "{path: /}", true, "HTTP/2.0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up := tellsClients(t, tc.tls)
			r := start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
trusted_proxies: [127.0.0.0/8]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q], proxy_protocol: %s, protocol: %s, health: %s, tls: {insecure: true}}}`,
				up.URL, tc.version, tc.protocol, tc.health)), Options{})
			one, two := dialClient(t, r.addrs[0]), dialClient(t, r.addrs[0])
			first := one.ask(t, "")
			if want := one.LocalAddr().String() + " over "; !strings.HasPrefix(first, want) || !strings.HasSuffix(first, tc.proto) {
				t.Fatalf("got %q, want %q by %s", first, want, tc.proto)
			}
			other := two.ask(t, "")
			if want := two.LocalAddr().String() + " over "; !strings.HasPrefix(other, want) {
				t.Errorf("another client: got %q, want %q", other, want)
			}
			if again := one.ask(t, ""); again != first {
				t.Errorf("the same client: got %q, want %q over the same connection", again, first)
			}
			if got, want := one.ask(t, "203.0.113.9"), "203.0.113.9:0 over "; !strings.HasPrefix(got, want) {
				t.Errorf("a client that a proxy has told of: got %q, want %q", got, want)
			}
			up.mu.Lock()
			defer up.mu.Unlock()
			if up.local == 0 {
				t.Error("no probe said that it is for nobody")
			}
		})
	}
}

// client is a connection to goodgate that stays.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dialClient(t *testing.T, addr string) *client {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{c, bufio.NewReader(c)}
}

// ask sends a request, on behalf of another client if from is set.
func (c *client) ask(t *testing.T, behalf string) string {
	t.Helper()
	if behalf != "" {
		behalf = "X-Forwarded-For: " + behalf + "\r\n"
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+behalf+"\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %q, %v", res.StatusCode, body, err)
	}
	return string(body)
}
