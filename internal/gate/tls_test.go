package gate

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// ask sends one request with a new client and returns the protocol and the answer, or
// "failed".
func ask(t *testing.T, url string, c *tls.Config, protocols func(*http.Protocols)) string {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: c, Protocols: new(http.Protocols), DisableKeepAlives: true}
	protocols(tr.Protocols)
	res, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		return "failed"
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return fmt.Sprintf("%s %d %s", res.Proto, res.StatusCode, body)
}

func both(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }
func h1(p *http.Protocols)   { p.SetHTTP1(true) }
func h2c(p *http.Protocols)  { p.SetUnencryptedHTTP2(true) }

func TestListenerTLS(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("site.example", "127.0.0.1"))
	stranger := certtest.NewAuthority(t, "stranger")
	r := start(t, parse(t, fmt.Sprintf(`
listeners:
  - {address: "127.0.0.1:0", tls: &tls {certificates: [{cert: %q, key: %q}]}}
  - {address: "127.0.0.1:0", tls: {<<: *tls, client_ca: %q}}
  - {address: "127.0.0.1:0", tls: {<<: *tls, client_ca: %q, client_auth: optional}}
  - {address: "127.0.0.1:0", tls: {<<: *tls, min_version: "1.3"}, http2: {enabled: false}}
  - {address: "127.0.0.1:0", http2: {cleartext: true}}
  - {address: "127.0.0.1:0"}
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, cert, key, ca.File(dir), ca.File(dir), app(t, "hello"))), Options{})
	trusting := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{RootCAs: ca.Pool()}
		if change != nil {
			change(c)
		}
		return c
	}
	with := func(a *certtest.Authority) *tls.Config {
		return trusting(func(c *tls.Config) { c.Certificates = []tls.Certificate{a.Issue("client")} })
	}
	const yes1, yes2, no = "HTTP/1.1 200 hello /x", "HTTP/2.0 200 hello /x", "failed"
	for _, tc := range []struct {
		listener int
		client   *tls.Config
		speaks   func(*http.Protocols)
		want     string
	}{
		{0, trusting(nil), both, yes2},
		{0, trusting(nil), h1, yes1},
		{0, trusting(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), both, yes2},
		{0, trusting(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }), both, no},
		{0, &tls.Config{RootCAs: stranger.Pool()}, both, no},
		{1, trusting(nil), both, no},
		{1, with(stranger), both, no},
		{1, with(ca), both, yes2},
		{2, trusting(nil), both, yes2},
		{2, with(ca), both, yes2},
		{3, trusting(nil), both, yes1},
		{3, trusting(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), both, no},
	} {
		if got := ask(t, "https://"+r.addrs[tc.listener]+"/x", tc.client, tc.speaks); got != tc.want {
			t.Errorf("listener %d: got %q, want %q", tc.listener, got, tc.want)
		}
	}
	for listener, want := range map[int]string{4: yes2, 5: no} {
		if got := ask(t, "http://"+r.addrs[listener]+"/x", nil, h2c); got != want {
			t.Errorf("HTTP/2 in the clear at listener %d: got %q, want %q", listener, got, want)
		}
		if got := ask(t, "http://"+r.addrs[listener]+"/x", nil, h1); got != yes1 {
			t.Errorf("HTTP/1.1 at listener %d: got %q, want %q", listener, got, yes1)
		}
	}
}

// A session is resumed, so that a client that comes back costs little.
func TestListenerTLSResumes(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("127.0.0.1"))
	r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", tls: {certificates: [{cert: %q, key: %q}]}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, cert, key, app(t, "hello"))), Options{})
	c := &tls.Config{RootCAs: ca.Pool(), ClientSessionCache: tls.NewLRUClientSessionCache(1), ServerName: "127.0.0.1"}
	for i := range 2 {
		conn, err := tls.Dial("tcp", r.addrs[0], c)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, conn)
		if got, want := conn.ConnectionState().DidResume, i > 0; got != want {
			t.Errorf("connection %d resumed: got %v, want %v", i, got, want)
		}
		conn.Close()
	}
}

func serve(t *testing.T, h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}
