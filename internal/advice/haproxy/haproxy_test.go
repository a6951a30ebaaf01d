package haproxy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

const text = `global
    maxconn 100   # a comment
defaults
    mode http
    timeout connect 5s
    timeout server 30000
frontend web
    bind *:80
    default_backend app
backend app
    timeout server 1m
    option httpchk GET "/health check"
    server a 10.0.0.1:80 check weight 2
    server b unix@/run/\#b.sock backup
listen one
    bind :81
`

func TestParse(t *testing.T) {
	c, err := haproxy.Parse(strings.NewReader(text), "/etc/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	app := c.Find("backend", "app")
	if app == nil || app.Timeout("server") != time.Minute || app.Timeout("connect") != 5*time.Second || app.Timeout("queue") != 0 {
		t.Fatalf("backend %+v", app)
	}
	if got := c.Find("frontend", "web").Timeout("server"); got != 30*time.Second {
		t.Errorf("timeout server %v, want that of the defaults", got)
	}
	if got := app.One("option", "httpchk").Word(3); got != "/health check" {
		t.Errorf("quoted word %q", got)
	}
	servers := app.All("server")
	if len(servers) != 2 || servers[0].After("weight") != "2" || !servers[0].Has("check") || servers[1].Word(2) != "unix@/run/#b.sock" || servers[1].At() != "haproxy.cfg:14" {
		t.Errorf("servers %+v", servers)
	}
	if c.Find("backend", "one") == nil || c.Find("backend", "web") != nil {
		t.Error("a listen section is no backend, or a frontend is one")
	}
	for _, bad := range []string{"server a", "global\n x \"y"} {
		if _, err := haproxy.Parse(strings.NewReader(bad), "x"); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"5000": 5 * time.Second, "10s": 10 * time.Second, "1m": time.Minute, "100us": 100 * time.Microsecond} {
		if got, ok := haproxy.Duration(in); !ok || got != want {
			t.Errorf("Duration(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "s", "1x", "-1", "99999999999999999999d"} {
		if got, ok := haproxy.Duration(in); ok {
			t.Errorf("Duration(%q) = %v", in, got)
		}
	}
}

const log = `Nov 23 01:00:00 host haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in app/a 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"
10.0.1.2:33317 [06/Feb/2009:12:14:15.655] http-in app/a 0/0/-1/-1/3002 503 212 - - SC-- 1/1/1/1/0 0/0 "GET / HTTP/1.1"
10.0.1.2:33317 [06/Feb/2009:12:14:16.655] http-in app/a 0/0/-1/-1/3002 503 212 - - SC-- 1/1/1/1/0 0/0 "GET /[06/Feb/2009:12:14:16.655] a b/c 1/1/1/1/1 1 1 - - SH-- HTTP/1.1"
10.0.1.2:33318 [06/Feb/2009:12:14:17.655] http-in app/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- 1/1/1/1/0 0/0 "GET / HTTP/1.1"
10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 sD 0/0/0/0/3 0/0
Server app/a is DOWN, reason: Layer4 connection problem
`

func TestTally(t *testing.T) {
	var tally haproxy.Tally
	if err := tally.Read(strings.NewReader(log + strings.Repeat("x", 100000) + "\n" + log)); err != nil {
		t.Fatal(err)
	}
	if tally.Lines != 10 {
		t.Errorf("%d lines, want 10", tally.Lines)
	}
	var got []string
	for _, e := range tally.Ended() {
		got = append(got, e.State+" "+e.Backend+"/"+e.Server)
		if e.First.IsZero() || e.Last.Before(e.First) {
			t.Errorf("%s: from %v to %v", e.State, e.First, e.Last)
		}
	}
	if want := []string{"SC app/a", "SC app/<NOSRV>", "sD bck/srv1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzTally(f *testing.F) {
	f.Add(log)
	f.Fuzz(func(t *testing.T, s string) {
		var tally haproxy.Tally
		if err := tally.Read(strings.NewReader(s)); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(text)
	f.Fuzz(func(t *testing.T, s string) { haproxy.Parse(strings.NewReader(s), "x") })
}

func BenchmarkTally(b *testing.B) {
	text := strings.Repeat(log, 1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var tally haproxy.Tally
		if err := tally.Read(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
