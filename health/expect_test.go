package health

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

func TestHTTPFields(t *testing.T) {
	t.Parallel()
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-State"] = []string{"old", "ready"}
		w.Header().Set("X-Empty", "")
	})
	f := func(want balancer.Probe, fields ...FieldExpect) {
		t.Helper()
		wantResult(t, probe(t, newHTTP(t, HTTPOptions{Fields: fields}), addr, long), want, "header")
	}
	f(balancer.Passed, FieldExpect{Name: "X-State"})
	f(balancer.Passed, FieldExpect{Name: "X-Empty"})
	f(balancer.Passed, FieldExpect{Name: "X-State", Value: "ready"})
	f(balancer.Passed, FieldExpect{Name: "X-State", Regexp: regexp.MustCompile("^rea")})
	f(balancer.Passed, FieldExpect{Name: "X-State", Value: "old"}, FieldExpect{Name: "X-State", Value: "ready"})
	f(balancer.Wrong, FieldExpect{Name: "X-State", Value: "read"})
	f(balancer.Wrong, FieldExpect{Name: "X-State", Value: "ready", Regexp: regexp.MustCompile("^old")})
	f(balancer.Wrong, FieldExpect{Name: "X-State", Regexp: regexp.MustCompile("^Rea")})
	f(balancer.Wrong, FieldExpect{Name: "X-State"}, FieldExpect{Name: "X-Other"})
	f(balancer.Wrong, FieldExpect{Name: "X-Empty", Value: "x"})
}

func TestHTTPRegexpAndJSON(t *testing.T) {
	t.Parallel()
	f := func(body string, o HTTPOptions, want balancer.Probe, text string) {
		t.Helper()
		addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
			for part := range strings.SplitAfterSeq(body, ",") {
				io.WriteString(w, part)
				http.NewResponseController(w).Flush()
			}
		})
		wantResult(t, probe(t, newHTTP(t, o), addr, long), want, text)
	}
	re := regexp.MustCompile(`"state":"(ok|degraded)"`)
	const good = `{"state":"ok","db":{"lag":12,"peers":["a","b"]}}`
	f(good, HTTPOptions{Regexp: re}, balancer.Passed, "")
	f(`{"state":"down"}`, HTTPOptions{Regexp: re}, balancer.Wrong, "body_regexp")
	f("", HTTPOptions{Regexp: re}, balancer.Wrong, "body_regexp")
	f(good, HTTPOptions{Regexp: re, Body: "peers"}, balancer.Passed, "")
	f(good, HTTPOptions{Regexp: re, Body: "absent"}, balancer.Wrong, "expected text")
	f(good, HTTPOptions{JSON: map[string]string{"state": "ok", "db.lag": "< 100", "db.peers.1": "b"}}, balancer.Passed, "")
	f(good, HTTPOptions{JSON: map[string]string{"state": "ok", "db.lag": "< 10"}}, balancer.Wrong, `"db.lag"`)
	f(good, HTTPOptions{JSON: map[string]string{"db.size": "*"}}, balancer.Wrong, `no "db.size"`)
	f(good, HTTPOptions{JSON: map[string]string{"state": "ok"}, Regexp: re, Body: "lag"}, balancer.Passed, "")
	f("<html>", HTTPOptions{JSON: map[string]string{"state": "ok"}}, balancer.Wrong, "not JSON")
	f(good, HTTPOptions{JSON: map[string]string{"state": "ok"}, MaxBody: int64(len(good))}, balancer.Passed, "")
	f(good, HTTPOptions{JSON: map[string]string{"state": "ok"}, MaxBody: int64(len(good)) - 1}, balancer.Wrong, "max_body")
	f(good+strings.Repeat(" ", 100), HTTPOptions{Regexp: re, MaxBody: 20}, balancer.Passed, "")
}

func TestHTTPBadExpectations(t *testing.T) {
	t.Parallel()
	for _, o := range []HTTPOptions{
		{JSON: map[string]string{"a..b": "1"}}, {JSON: map[string]string{"a": "< x"}},
		{Method: "HEAD", JSON: map[string]string{"a": "1"}}, {Method: "HEAD", Regexp: regexp.MustCompile("x")},
	} {
		if _, err := NewHTTP(o); err == nil {
			t.Errorf("%+v: got no error", o)
		}
	}
}

// An endless body is silence if the probe needs all of it.
func TestHTTPEndlessJSON(t *testing.T) {
	t.Parallel()
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"state":"ok"`)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	p := newHTTP(t, HTTPOptions{JSON: map[string]string{"state": "ok"}})
	wantResult(t, probe(t, p, addr, 50*time.Millisecond), balancer.Silent, "test limit")
}

func TestHTTPTargetScheme(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	status := []StatusRange{{404, 404}}
	p := newHTTP(t, HTTPOptions{Statuses: status, TLS: clientTLS(secure), Target: Target{TLS: new(true)}})
	wantResult(t, probe(t, p, secure.Listener.Addr().String(), long), balancer.Passed, "")
	wantResult(t, probe(t, p, plain.Listener.Addr().String(), long), balancer.Silent, "tls handshake")
	p = newHTTP(t, HTTPOptions{Statuses: status, Target: Target{TLS: new(false)}})
	wantResult(t, probeTLS(t, p, plain.Listener.Addr().String(), long), balancer.Passed, "")
}

// portOf returns the port of an address.
func portOf(addr string) int { return int(mustAddrPort(addr).Port()) }

// An upstream with its status page on another port must listen for its traffic too before
// it is up. Later only the page counts.
func TestTargetPort(t *testing.T) {
	t.Parallel()
	page := handle(t, func(w http.ResponseWriter, r *http.Request) {})
	app := silent(t)
	gone := refused(t)
	probers := func(port int) []Prober {
		return []Prober{newHTTP(t, HTTPOptions{Target: Target{Port: port}}), TCP{Target: Target{Port: port}}}
	}
	for _, p := range probers(portOf(page)) {
		wantResult(t, probe(t, p, app, long), balancer.Passed, "")
		wantResult(t, probe(t, p, gone, long), balancer.Refused, "refused")
		up := upstreams(t, gone)[0]
		up.ObserveProbe(balancer.Passed, balancer.Thresholds{Rise: 1, Fall: 1})
		if err := p.Probe(t.Context(), up); err != nil {
			t.Errorf("%T: got %v of an upstream that is up, want its traffic's port not to be looked at", p, err)
		}
	}
	// The traffic's port may still answer, so this proves nothing.
	for _, p := range probers(portOf(gone)) {
		wantResult(t, probe(t, p, app, long), balancer.Wrong, "refused")
	}
	if got := (Target{Port: 9}).of("unix:/run/app.sock"); got != "unix:/run/app.sock" {
		t.Errorf("got %q, want a socket to be probed itself", got)
	}
	if got := (Target{Port: 9}).of("[::1]:80"); got != "[::1]:9" {
		t.Errorf("got %q, want the address with the other port", got)
	}
}

// An answer on another port proves nothing about the process that serves the traffic.
func TestTargetPortAndPulse(t *testing.T) {
	t.Parallel()
	page := handle(t, func(w http.ResponseWriter, r *http.Request) {})
	for _, c := range []struct {
		target Target
		want   balancer.Pulse
	}{{Target{}, balancer.Running}, {Target{Port: portOf(page)}, balancer.Unknown}} {
		u := upstreams(t, page)[0]
		ctx, stop := context.WithCancel(t.Context())
		probed := make(chan struct{}, 100)
		checker := NewChecker(Options{Prober: newHTTP(t, HTTPOptions{Target: c.target}), Interval: time.Hour, Report: func(Event) { probed <- struct{}{} }})
		checker.Watch([]*balancer.Upstream{u})
		done := make(chan struct{})
		go func() { checker.Run(ctx); close(done) }()
		<-probed
		if got := u.Pulse(time.Now(), time.Minute); got != c.want {
			t.Errorf("%+v: got pulse %v, want %v", c.target, got, c.want)
		}
		stop()
		<-done
	}
}
