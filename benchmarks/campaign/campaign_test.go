package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleFlag {
		if err := playBackend(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "backend:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestCase runs one short case against goodgate: the backends fail after a second, and
// no client may notice.
func TestCase(t *testing.T) {
	t.Parallel()
	program, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(cases(false), "bad-gateway")
	if err != nil {
		t.Fatal(err)
	}
	o := options{rate: 100, last: 1500 * time.Millisecond, ip: loopback}
	got, err := play(t.Context(), chosen[0], peers(program, "")[0], o, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sent != 150 || len(got.Missed) > 0 {
		t.Errorf("sent %d, missed %q, failures %v; want 150 sent and none", got.Sent, got.Missed, got.Failures)
	}
}

func startBackend(t *testing.T, l *ledger) *backend {
	t.Helper()
	n, err := newNetwork(wire{}, loopback)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := n.far.freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBackend(addr, n.far, traits{}, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.kill() })
	return b
}

// TestBackendFaults asks a backend directly, so that a case cannot pass because its
// fault does not occur.
func TestBackendFaults(t *testing.T) {
	t.Parallel()
	l := newLedger()
	b := startBackend(t, l)
	f := func(fault fault, want string) {
		t.Helper()
		if err := become(fault)(b); err != nil {
			t.Fatal(err)
		}
		// A fault takes effect after a moment.
		got := ""
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); wait(t.Context(), 5*time.Millisecond) {
			c := &client{addr: b.addr}
			got = c.do(t.Context(), http.MethodGet, "")
			c.close()
			if got == want {
				return
			}
		}
		t.Errorf("%s: got failure %q, want %q", fault, got, want)
	}
	f(badGateway, "status 502")
	f(flaky, "status 503")
	f(healthy, "")
	f(unavailable, "status 503")
	f(healthy, "")
	f(cutBody, failedBody)
	f(healthy, "")
	f(resetBody, failedBody)
	f(hangUp, failedHeader)
	f(healthy, "")
	f(reset, failedHeader)
	f(healthy, "")
	f(resetHeader, failedHeader)
	f(healthy, "")
	f(garbage, failedHeader)
	f(refuse, failedConnect)
	f(healthy, "")
	f(vanish, failedConnect)
	f(healthy, "")
}

// TestSilent checks that OPTIONS * gets no answer either, which net/http would give by
// itself.
func TestSilent(t *testing.T) {
	t.Parallel()
	n, err := newNetwork(wire{}, loopback)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{ran: io.Discard}
	if a.addr, err = n.far.freeAddr(); err != nil {
		t.Fatal(err)
	}
	if err := a.listen(); err != nil {
		t.Fatal(err)
	}
	for fault, want := range map[fault]string{healthy: "", sickHealth: "", slow: "", silent: failedTime} {
		a.fault.Store(fault)
		c := &client{addr: a.addr}
		if fault == silent {
			c.patience = 100 * time.Millisecond
		}
		if got := c.ask(t.Context(), http.MethodOptions, "*", ""); got != want {
			t.Errorf("%s: got failure %q, want %q", fault, got, want)
		}
		c.close()
	}
	a.serving.server.Close()
	a.serves.Wait()
}

// TestBackendReportsExecutions counts a request that a backend has executed before and
// after it was killed.
func TestBackendReportsExecutions(t *testing.T) {
	t.Parallel()
	l := newLedger()
	b := startBackend(t, l)
	c := &client{addr: b.addr}
	for _, id := range []string{"1", "2"} {
		if failure := c.do(t.Context(), http.MethodPost, id); failure != "" {
			t.Fatal(failure)
		}
	}
	c.close()
	if err := b.kill(); err != nil {
		t.Fatal(err)
	}
	if got := l.duplicated(); got != 0 {
		t.Errorf("got %d duplicated, want 0", got)
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	if failure := c.do(t.Context(), http.MethodPost, "1"); failure != "" {
		t.Fatal(failure)
	}
	c.close()
	if err := b.kill(); err != nil {
		t.Fatal(err)
	}
	if got := l.duplicated(); got != 1 {
		t.Errorf("got %d duplicated, want 1", got)
	}
}

func TestCasesAreSound(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range slices.Concat(cases(false), cases(true)) {
		if s.name == "" || s.says == "" || slices.Contains(names, s.name) {
			t.Errorf("case %q, %q: it needs a name of its own and a sentence", s.name, s.says)
		}
		names = append(names, s.name)
		steps := s.at()
		if !slices.IsSortedFunc(steps, func(a, b step) int { return int(a.at - b.at) }) {
			t.Errorf("case %s: its steps are not in the order of time", s.name)
		}
		for _, st := range steps {
			if st.who < everyone || st.who >= s.total() {
				t.Errorf("case %s: there is no backend %d", s.name, st.who)
			}
			if s.pace.last > 0 && st.at >= s.pace.last {
				t.Errorf("case %s: a step after %v, and the last request before %v", s.name, st.at, s.pace.last)
			}
		}
		if s.must.from > 0 && s.must.from > s.pace.last-second {
			t.Errorf("case %s: nothing is left to judge from %v on", s.name, s.must.from)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	f := func(args, want string) {
		t.Helper()
		c, err := parse(strings.Fields(args))
		switch {
		case err != nil:
			if err.Error() != want {
				t.Errorf("%s: got %v, want %s", args, err, want)
			}
		case strings.Join(c.peers, ",")+fmt.Sprintf(" %d/s %v", c.rate, c.last) != want:
			t.Errorf("%s: got %v, %d/s, %v; want %s", args, c.peers, c.rate, c.last, want)
		}
	}
	f("", "goodgate,nginx,haproxy,caddy 200/s 6s")
	f("-peers nginx -rate 5 -for 2s", "nginx 5/s 2s")
	f("-quiet", "goodgate 1/s 12s")
	f("-quiet -rate 5", "-rate 5, -for 6s: quiet cases have their own rate and time")
	f("-quiet -together 0", "-rate 200, -runs 1, -for 6s and -together 0 must be positive")
	f("-quiet -only innocent-cold", "-only innocent-cold: no such case")
}

func TestChooseNamesUnknownCases(t *testing.T) {
	t.Parallel()
	if _, err := choose(cases(false), "flaky,no-such,silent"); err == nil || err.Error() != "-only no-such: no such case" {
		t.Errorf("got %v", err)
	}
	got, err := choose(cases(false), "flaky,silent")
	if err != nil || len(got) != 2 || got[0].name != "silent" {
		t.Errorf("got %v, %v; want silent and flaky, in the campaign's order", got, err)
	}
}

func TestConfigsNameEveryBackend(t *testing.T) {
	t.Parallel()
	byAddr := settings{Addr: "127.0.0.1:1", Dir: "/d", Backends: []string{"127.0.0.1:2", "127.0.0.1:3"}}
	byName := settings{Addr: "127.0.0.1:1", Dir: "/d", Name: backendName, NamePort: "45678", Resolver: "127.0.0.1:5"}
	for _, p := range peers("goodgate", "caddy") {
		f := func(v settings, wants ...string) {
			t.Helper()
			text, err := p.render(v)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range wants {
				if !bytes.Contains(text, []byte(want)) {
					t.Errorf("%s does not name %s:\n%s", p.config, want, text)
				}
			}
		}
		f(byAddr, "127.0.0.1:2", "127.0.0.1:3")
		f(byName, backendName, "45678", "127.0.0.1:5")
	}
}

// TestBareConfig checks that goodgate's bare configuration has only the necessary
// settings.
func TestBareConfig(t *testing.T) {
	t.Parallel()
	f := func(v settings, want string) {
		t.Helper()
		v.Bare = true
		text, err := peers("goodgate", "caddy")[0].render(v)
		if err != nil {
			t.Fatal(err)
		}
		_, got, _ := strings.Cut(string(text), "listeners:")
		if got != want {
			t.Errorf("%+v: got\n%s\nwant\n%s", v, got, want)
		}
	}
	f(settings{Addr: "127.0.0.1:1", Backends: []string{"127.0.0.1:2", "127.0.0.1:3"}}, ` ["127.0.0.1:1"]
pools:
  app:
    upstreams:
      - http://127.0.0.1:2
      - http://127.0.0.1:3
`)
	f(settings{Addr: "127.0.0.1:1", Backends: []string{"127.0.0.1:2"}, CA: "/ca.pem"}, ` ["127.0.0.1:1"]
pools:
  app:
    tls: {ca: "/ca.pem"}
    upstreams:
      - https://127.0.0.1:2
`)
	f(settings{Addr: "127.0.0.1:1", Name: "a.test", NamePort: "2", Resolver: "127.0.0.1:3", H2: true}, ` ["127.0.0.1:1"]
pools:
  app:
    protocol: h2c
    dns: {resolver: "127.0.0.1:3"}
    upstreams:
      - http://a.test:2
`)
}

// TestFaultsOfOtherProtocols asks the application over TLS and HTTP/2, so that a case
// cannot pass because its fault does not occur.
func TestFaultsOfOtherProtocols(t *testing.T) {
	t.Parallel()
	cert, err := newCertificate(t.TempDir(), []string{"127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for speaks, scheme := range map[protocol]string{https: "https", h2c: "http"} {
		n, err := newNetwork(wire{}, loopback)
		if err != nil {
			t.Fatal(err)
		}
		a := &app{speaks: speaks, cert: cert, ran: io.Discard}
		if a.addr, err = n.far.freeAddr(); err != nil {
			t.Fatal(err)
		}
		if err := a.listen(); err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(speaks == https)
		transport.Protocols.SetUnencryptedHTTP2(speaks == h2c)
		f := func(fault fault, want string) {
			t.Helper()
			a.fault.Store(fault)
			got := "no answer"
			if res, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, scheme+"://"+a.addr+workPath, nil)); err == nil {
				_, err := io.Copy(io.Discard, res.Body)
				got = fmt.Sprintf("%s %d, whole %v", res.Proto, res.StatusCode, err == nil)
				res.Body.Close()
			}
			if got != want {
				t.Errorf("%s over %s: got %s, want %s", fault, speaks, got, want)
			}
		}
		proto := map[protocol]string{https: "HTTP/1.1", h2c: "HTTP/2.0"}[speaks]
		f(healthy, proto+" 200, whole true")
		f(cutBody, proto+" 200, whole false")
		f(resetBody, proto+" 200, whole false")
		f(badGateway, proto+" 502, whole true")
		f(reset, "no answer")
		f(hangUp, "no answer")
		f(resetHeader, "no answer")
		f(garbage, "no answer")
		transport.CloseIdleConnections()
		a.serving.server.Close()
		a.serves.Wait()
	}
}
