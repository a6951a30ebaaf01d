package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// Methods that are not forwarded get a 405, and Allow lists the others (RFC 9110, section
// 15.5.6).
func TestMethodsNotAllowed(t *testing.T) {
	t.Parallel()
	for line, status := range map[string]int{
		"TRACE / HTTP/1.1": 405, "TRACE http://example.com HTTP/1.1": 405, "TRACK / HTTP/1.1": 405, "TRACE / HTTP/1.0": 405, "TRACE / HTTP/1.1\nMax-Forwards: 0": 405,
		"CONNECT example.com:443 HTTP/1.1": 405, "CONNECT example.com HTTP/1.1": 405, "CONNECT /x HTTP/1.1": 405,
		"trace / HTTP/1.1": 200, "BREW / HTTP/1.1": 200,
	} {
		w := start(t, setup{upstreams: specs("app:80")})
		w.app("app:80", func(http.ResponseWriter, *http.Request) {})
		a := w.raw(line + "\nHost: example.com\n\n")
		check(t, line+": status", a.status, status)
		check(t, line+": Allow", a.header.Get("Allow") != "", status == 405)
		if status == 405 {
			check(t, line+": reason", w.record().Reason, reason.RequestMalformed)
		}
	}
}

// Max-Forwards of OPTIONS counts the proxies, and the last one answers (RFC 9110, section
// 7.6.2). For other methods it has no effect.
func TestMaxForwards(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ line, fields, want string }{
		{"OPTIONS /x", "Max-Forwards: 0\n", "answered here"},
		{"OPTIONS /x", "max-forwards: 00\n", "answered here"},
		{"OPTIONS http://example.com", "Max-Forwards: 0\n", "answered here"},
		{"OPTIONS /x", "Max-Forwards: 1\n", "[0]"},
		{"OPTIONS /x", "MAX-FORWARDS: 10\n", "[9]"},
		{"OPTIONS http://example.com/", "Max-Forwards: 10\n", "[9]"},
		{"OPTIONS /x", "Max-Forwards: 10\nConnection: Max-Forwards\n", "[9]"},
		{"OPTIONS /x", "Max-Forwards: 99999999999999999999\n", "[2147483646]"},
		{"OPTIONS /x", "Max-Forwards: -1\n", "[-1]"},
		{"OPTIONS /x", "Max-Forwards: 0x1\n", "[0x1]"},
		{"OPTIONS /x", "Max-Forwards:\n", "[]"},
		{"OPTIONS /x", "Max-Forwards: 0\nMax-Forwards: 5\n", "[0 5]"},
		{"OPTIONS /x", "", "[]"},
		{"GET /x", "Max-Forwards: 0\n", "[0]"},
		{"POST /x", "Max-Forwards: 3\n", "[3]"},
	} {
		s := setup{upstreams: specs("app:80")}
		s.route.ResponseHeaders.Set = map[string]string{"X-Route": "1"}
		w := start(t, s)
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header["Max-Forwards"]) })
		a := w.raw(tc.line + " HTTP/1.1\nHost: example.com\nContent-Length: 0\n" + tc.fields + "\n")
		got := a.body
		if a.header.Get("Allow") != "" {
			got = "answered here"
			check(t, "length", a.header.Get("Content-Length"), "0")
			check(t, "attempts", len(w.record().Attempts), 0)
		}
		check(t, tc.line+" "+tc.fields, fmt.Sprint(a.status, got), "200"+tc.want)
		check(t, "the route's header", a.header.Get("X-Route"), "1")
	}
}

// A route with a fixed answer answers OPTIONS too.
func TestMaxForwardsToAFixedResponse(t *testing.T) {
	t.Parallel()
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Match: proxy.Match{Path: "/x"}, Respond: &proxy.Respond{Status: 418}}}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/x": 418, "/y": 404} {
		r, w := httptest.NewRequest("OPTIONS", path, nil), httptest.NewRecorder()
		r.Header.Set("Max-Forwards", "0")
		p.ServeHTTP(w, r)
		check(t, path, w.Code, want)
	}
}
