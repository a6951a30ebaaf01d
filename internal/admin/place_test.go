package admin

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/proxy"
)

// many is a goodgate of several pools.
type many struct {
	*fake
	pools []*proxy.Pool
}

func (m many) Pools() []*proxy.Pool { return m.pools }

func (m many) Order(c changes.Change) (changes.Change, error) {
	for _, p := range m.pools {
		setOperator(p, c)
	}
	return m.fake.Order(c)
}

func newMany(t *testing.T, pools map[string][]balancer.Spec) *Server {
	t.Helper()
	m := many{fake: newFake(t)}
	for name, specs := range pools {
		p, err := proxy.NewPool(balancer.Options{Name: name, Policy: "first"}, proxy.PoolOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.Update(specs)
		t.Cleanup(func() { p.Update(nil) })
		m.pools = append(m.pools, p)
	}
	s := New(Options{Control: m, Requests: new(Ring), Tally: new(Tally)})
	t.Cleanup(s.Close)
	return s
}

// order sends one and returns the places that it was for, as pool/upstream.
func order(t *testing.T, s *Server, o Order) (places []string, code int, f problem) {
	t.Helper()
	body, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	code, answer := call(s, "POST", "/v1/upstreams", string(body))
	var done Changed
	json.Unmarshal([]byte(answer), &done)
	json.Unmarshal([]byte(answer), &f)
	for _, p := range done.Upstreams {
		places = append(places, p.Pool+"/"+p.Upstream)
	}
	slices.Sort(places)
	return places, code, f
}

// TestSpellings: an upstream in every form that an operator has seen it in.
func TestSpellings(t *testing.T) {
	s := newMany(t, map[string][]balancer.Spec{
		"app": {{Addr: "127.0.0.1:3901"}, {Addr: "127.0.0.1:80"}, {Addr: "[::1]:3901"}, {Addr: "[2001:db8::1]:443"}, {Addr: "unix:/run/App.sock"}},
		"api": {{Addr: "127.0.0.1:3901"}, {Addr: "10.0.0.1:8080", Name: "api.example"}, {Addr: "10.0.0.2:8080", Name: "api.example"}, {Addr: "10.0.0.3:80", Name: "localhost"}, {Addr: "from.file:9000"}},
	})
	both := "api/127.0.0.1:3901 app/127.0.0.1:3901"
	for text, want := range map[string]string{
		"127.0.0.1:3901":                both,
		" 127.0.0.1:3901\n":             both,
		"http://127.0.0.1:3901":         both,
		"http://127.0.0.1:3901/":        both,
		"HTTP://127.0.0.1:3901//":       both,
		"https://127.0.0.1:3901":        both,
		"127.0.0.1:3901/":               both,
		"[::ffff:127.0.0.1]:3901":       both,
		"app/127.0.0.1:3901":            "app/127.0.0.1:3901",
		"api/http://127.0.0.1:3901/":    "api/127.0.0.1:3901",
		"http://127.0.0.1":              "app/127.0.0.1:80",
		"http://127.0.0.1/":             "app/127.0.0.1:80",
		"127.0.0.1":                     "", // which port?
		"[::1]:3901":                    "app/[::1]:3901",
		"http://[0:0:0:0:0:0:0:1]:3901": "app/[::1]:3901",
		"https://[2001:DB8::1]":         "app/[2001:db8::1]:443",
		"https://[2001:db8:0:0::1]/":    "app/[2001:db8::1]:443",
		"2001:db8::1":                   "",
		"unix:/run/App.sock":            "app/unix:/run/App.sock",
		"UNIX:/run/App.sock":            "app/unix:/run/App.sock",
		"unix:///run/App.sock":          "app/unix:/run/App.sock",
		"http://unix:/run/App.sock:/":   "app/unix:/run/App.sock",
		"app/unix:/run/App.sock":        "app/unix:/run/App.sock",
		"unix:/run/app.sock":            "", // file names have a case
		"/run/App.sock":                 "",
		"api.example":                   "api/10.0.0.1:8080 api/10.0.0.2:8080",
		"API.Example.":                  "api/10.0.0.1:8080 api/10.0.0.2:8080",
		"http://api.example:8080":       "api/10.0.0.1:8080 api/10.0.0.2:8080",
		"api/api.example":               "api/10.0.0.1:8080 api/10.0.0.2:8080",
		"api.example:8081":              "",
		"http://api.example":            "", // port 80
		"http://localhost":              "api/10.0.0.3:80",
		"localhost:80":                  "api/10.0.0.3:80",
		"FROM.file:9000":                "api/from.file:9000",
		"from.file":                     "api/from.file:9000",
		"10.0.0.1:8080":                 "api/10.0.0.1:8080",
		"app/10.0.0.1:8080":             "",
		"web/127.0.0.1:3901":            "",
		"":                              "",
		"/":                             "",
		"http://":                       "",
		"://:":                          "",
		"app/":                          "",
		"unix:":                         "",
		"[":                             "",
		":3901":                         "",
		strings.Repeat("a/", 10_000):    "",
	} {
		places, code, f := order(t, s, Order{Upstream: text, State: "ready"})
		if got := strings.Join(places, " "); got != want {
			t.Errorf("%.60q: got %q, want %q", text, got, want)
		}
		if want == "" && (code != 404 || f.Error == "") {
			t.Errorf("%.60q: got %d %q, want 404 and why", text, code, f.Error)
		}
	}
}

// TestUnknownUpstream checks that the error lists the upstreams and suggests the
// probable one.
func TestUnknownUpstream(t *testing.T) {
	var specs []balancer.Spec
	for i := range 50 {
		specs = append(specs, balancer.Spec{Addr: fmt.Sprintf("10.0.0.1:%d", 7000+i)})
	}
	s := newMany(t, map[string][]balancer.Spec{"app": {{Addr: "127.0.0.1:3901"}, {Addr: "unix:/run/app.sock"}}, "big": specs, "empty": nil})
	for _, test := range []struct {
		o    Order
		want string
	}{
		{Order{Upstream: "localhost:3901", Pool: "app"}, "there is no upstream localhost:3901: did you mean app/127.0.0.1:3901? The upstreams are app/127.0.0.1:3901, app/unix:/run/app.sock"},
		{Order{Upstream: "127.0.0.1:3091", Pool: "app"}, "did you mean app/127.0.0.1:3901?"},
		{Order{Upstream: "unix:/run/ap.sock"}, "did you mean app/unix:/run/app.sock?"},
		{Order{Upstream: "elsewhere:1"}, "there is no upstream elsewhere:1. The upstreams are "},
		{Order{Upstream: "elsewhere:1"}, " and 32 more"},
		{Order{Upstream: "127.0.0.1:3901", Pool: "ap"}, `there is no pool "ap": did you mean app? The pools are `},
		{Order{Upstream: "app/127.0.0.1:3901", Pool: "big"}, "belongs to pool app, not to pool big"},
		{Order{Upstream: "127.0.0.1:3901", Pool: "empty"}, "pool empty has none"},
		{Order{}, "upstream is missing: set it to an address or a host name"},
	} {
		if _, code, f := order(t, s, test.o); code != 404 || !strings.Contains(f.Error, test.want) {
			t.Errorf("%+v: got %d %q, want 404 and %q in it", test.o, code, f.Error, test.want)
		}
	}
}

// TestKeepLast: with the option, an order that would empty a pool is refused and
// changes nothing.
func TestKeepLast(t *testing.T) {
	pools := map[string][]balancer.Spec{"app": {{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.2:80"}}, "one": {{Addr: "10.0.0.1:80"}}, "name": {{Addr: "10.0.0.5:80", Name: "a.example"}, {Addr: "10.0.0.6:80", Name: "a.example"}}}
	s := newMany(t, pools)
	step := func(o Order, code, left, of int) {
		t.Helper()
		body, _ := json.Marshal(o)
		got, answer := call(s, "POST", "/v1/upstreams", string(body))
		var done Changed
		var f problem
		json.Unmarshal([]byte(answer), &done)
		json.Unmarshal([]byte(answer), &f)
		switch {
		case got != code:
			t.Fatalf("%+v: got %d %s, want %d", o, got, answer, code)
		case code == 409 && (f.Code != LastUpstream || f.Of != of || !strings.Contains(f.Error, "last ")):
			t.Errorf("%+v: got %+v, want the code and %d", o, f, of)
		case code == 200 && (done.Upstreams[0].Left != left || done.Upstreams[0].Of != of):
			t.Errorf("%+v: got %+v, want %d of %d left", o, done, left, of)
		}
	}
	step(Order{Upstream: "app/10.0.0.1:80", State: "drain", KeepLast: true}, 200, 1, 2)
	step(Order{Upstream: "app/10.0.0.2:80", State: "off", KeepLast: true}, 409, 0, 2)
	step(Order{Upstream: "app/10.0.0.1:80", State: "off", KeepLast: true}, 200, 1, 2) // it is already out
	step(Order{Upstream: "app/10.0.0.2:80", State: "off"}, 200, 0, 2)
	step(Order{Upstream: "app/10.0.0.2:80", State: "off", KeepLast: true}, 200, 0, 2) // nothing more is lost
	step(Order{Upstream: "app/10.0.0.2:80", State: "ready", KeepLast: true}, 200, 1, 2)
	step(Order{Upstream: "one/10.0.0.1:80", State: "drain", KeepLast: true}, 409, 0, 1)
	step(Order{Upstream: "a.example", State: "drain", KeepLast: true}, 409, 0, 2) // both at the same time
	step(Order{Upstream: "10.0.0.1:80", State: "drain", KeepLast: true}, 409, 0, 1)
	step(Order{Upstream: "10.0.0.6:80", State: "drain", KeepLast: true}, 200, 1, 2)
}

func TestFind(t *testing.T) {
	_, s := newTest(t, Options{Tokens: []Token{{MainToken, "0123456789abcdef"}}})
	shown := make(chan string, 8)
	real := httptest.NewServer(s)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("Authorization")
		w.Write([]byte("live and kicking\n"))
	}))
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, c := range []interface{ Close() }{real, other} {
		defer c.Close()
	}
	defer silent.Close()
	address := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
	got := Find(t.Context(), []string{gone.Addr().String(), address(other), address(real), silent.Addr().String(), "bad address"})
	if !slices.Equal(got, []string{address(real)}) {
		t.Errorf("got %v, want only %s", got, address(real))
	}
	if token := <-shown; token != "" {
		t.Errorf("a stranger got %q", token)
	}
}

// TestNextStepWithoutConnection checks that the error has a next step for the operator,
// without the words of package net.
func TestNextStepWithoutConnection(t *testing.T) {
	dir := t.TempDir()
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer html.Close()
	lost := httptest.NewServer(http.NotFoundHandler())
	defer lost.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for address, want := range map[string]string{
		gone.Addr().String():                    "no goodgate answers at " + gone.Addr().String() + ": is it running, and is `admin: {address: " + gone.Addr().String() + "}` in its file?",
		"unix:" + filepath.Join(dir, "x"):       "no goodgate answers at unix:" + dir + "/x: is it running",
		strings.TrimPrefix(html.URL, "http://"): "is not goodgate's admin API",
		strings.TrimPrefix(lost.URL, "http://"): "is not goodgate's admin API (it said 404 Not Found)",
		"nowhere.invalid:9900":                  "does not resolve",
	} {
		var s Status
		err := (Client{Address: address}).Get(t.Context(), "/v1/status", &s)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "dial") {
			t.Errorf("%s: got %v, want %q in it", address, err, want)
		}
	}
	for err, want := range map[error]string{syscall.EACCES: "belongs to another user", syscall.ECONNREFUSED: "admin: {address: \"[::1]:9900\"}", syscall.ETIMEDOUT: "in time"} {
		if got := (&Unreachable{"[::1]:9900", &net.OpError{Op: "dial", Err: err}}).Error(); !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q in it", err, got, want)
		}
	}
}
