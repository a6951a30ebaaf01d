package gate

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// lenient is an application that understands requests in the most generous way: it finds
// a path, a host and a method wherever some framework looks for them. It notes each
// request that it takes for a protected one although the proxy has let it in by an open
// route.
type lenient struct {
	mu   sync.Mutex
	seen []string
}

func (l *lenient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "*" {
		return
	}
	if r.Header.Get("X-Route") == "open" {
		if all := readings(r); slices.ContainsFunc(all, isProtected) {
			l.mu.Lock()
			l.seen = append(l.seen, fmt.Sprintf("%s %s %s, read as %v", r.Method, r.Host, r.RequestURI, all[slices.IndexFunc(all, isProtected)]))
			l.mu.Unlock()
		}
	}
	io.WriteString(w, "reached "+r.Header.Get("X-Route"))
}

// take returns the protected requests seen so far, and forgets them.
func (l *lenient) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen
	l.seen = nil
	return seen
}

type reading struct{ method, host, path string }

func isProtected(r reading) bool {
	host, _, _ := strings.Cut(r.host, ":")
	return r.path == "/admin" || strings.HasPrefix(r.path, "/admin/") || strings.TrimSuffix(strings.ToLower(host), ".") == "admin.example" || r.method == "DELETE"
}

// readings returns all the ways to understand a request.
func readings(r *http.Request) (all []reading) {
	methods, hosts, paths := []string{r.Method}, []string{r.Host}, []string{r.RequestURI}
	for name, values := range r.Header {
		switch strings.ToLower(strings.ReplaceAll(name, "_", "-")) {
		case "x-http-method-override", "x-method-override", "x-http-method":
			methods = append(methods, values...)
		case "x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-original-uri":
			paths = append(paths, values...)
		case "x-host", "x-original-host":
			hosts = append(hosts, values...)
		case "x-forwarded-host":
			hosts = append(hosts, values...)
		}
	}
	if m := r.URL.Query()["_method"]; r.Method == "POST" {
		methods = append(methods, m...)
	}
	for _, path := range paths {
		if u, err := url.Parse(path); err == nil && u.Scheme != "" {
			hosts = append(hosts, u.Host)
		}
	}
	for _, p := range paths {
		for _, path := range spellings(p) {
			for _, host := range hosts {
				for _, method := range methods {
					all = append(all, reading{strings.ToUpper(method), host, path})
				}
			}
		}
	}
	return all
}

// spellings returns the paths that servers make of a target.
func spellings(target string) (all []string) {
	path, _, _ := strings.Cut(target, "?")
	path, _, _ = strings.Cut(path, "#")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	for _, p := range []string{path, decoded} {
		for _, slashes := range []bool{false, true} {
			for _, parameters := range []bool{false, true} {
				all = append(all, simplified(p, slashes, parameters))
			}
		}
	}
	return all
}

func simplified(path string, backslashes, parameters bool) string {
	if backslashes {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	var kept []string
	for s := range strings.SplitSeq(path, "/") {
		if parameters {
			s, _, _ = strings.Cut(s, ";")
		}
		switch s {
		case "", ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}

const hostileRoutes = `
%%s
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {name: denied, match: {any: [{path: /admin}, {path: "/admin/*"}, {host: admin.example}, {methods: [DELETE]}]}, pool: app, access: {allow: 10.0.0.0/8}, request_headers: {set: {X-Route: denied}}}
  - {name: open, pool: app, request_headers: {set: {X-Route: open}}}
pools: {app: {upstreams: [%q], health: {type: none}}}
`

// hostileTries are requests that must not reach the application as requests for what is
// denied: /admin, the host admin.example and the method DELETE.
func hostileTries() (all []try) {
	get := func(target string, fields ...string) {
		r := try{method: "GET", target: target, host: "www.example"}
		for i := 0; i+1 < len(fields); i += 2 {
			r.fields = append(r.fields, [2]string{fields[i], fields[i+1]})
		}
		all = append(all, r)
	}
	for _, target := range []string{
		"/admin", "/admin/", "/admin/x", "/admin?x", "/admin/?x=/y", "//admin", "///admin/x", "/./admin", "/x/../admin", "/x/../../admin", "/..//admin",
		"/%61dmin", "/adm%69n/x", "/%2e/admin", "/x/%2e%2e/admin", "/x/%2E%2E/admin/", "/x/.%2e/admin", "/%2fadmin", "/x%2f..%2fadmin", "/x/..%2fadmin", "/.%2fadmin",
		"/admin%2f", "/admin%2Fx", "/admin;x=1", "/admin;/x", "/x/..;/admin", "/..;/admin", "/;/admin", "/;x/admin", "/admin/..;/admin", "/x;/../admin", "/x/..;x=y/admin/z",
		`/\admin`, `/x\..\admin`, `\admin`, "/%5cadmin", "/x%5c..%5cadmin", "/x/..%5cadmin", "/admin%5cx", "/admin/%00", "/admin%00", "/%00/../admin", "/x%0d%0a/../admin", "/admin#x", "/x#/../admin",
		"/admin/../admin", "/x/./../admin/.", "/admin/.", "/admin/..", "/admin//", "/x//../admin", "/x/%2e%2e;/admin", "/%2e%2e%3b/admin", "/x/%2e%2e%2fadmin", "/%3b/admin", "/x/..%3b/admin",
		"http://www.example/admin", "http://admin.example/", "https://admin.example/x", "http://admin.example:80/", "HTTP://ADMIN.EXAMPLE/", "http://www.example//admin", "//admin.example/", "http://www.example@admin.example/",
		"*", "admin", "www.example:80", "/?x=../admin", "/x?/../admin",
	} {
		get(target)
		all = append(all, try{method: "OPTIONS", target: target, host: "www.example", fields: [][2]string{{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "GET"}}},
			try{method: "HEAD", target: target, host: "www.example"}, try{method: "POST", target: target, host: "www.example", body: "x"})
	}
	for _, host := range []string{"admin.example", "ADMIN.example", "admin.example.", "Admin.Example.:80", "admin.example:8080", "admin.example:", "admin.example..", " admin.example", "admin.example ", "admin.example\t", "x@admin.example", "admin.example, www.example", "admin.example/x", "admin.example%00"} {
		all = append(all, try{method: "GET", target: "/", host: host})
	}
	for _, name := range []string{
		"X-Original-URL", "X-Rewrite-URL", "X_Original_URL", "x-rewrite_url", "X-Forwarded-Uri", "X-Original-URI", "X-Forwarded-Prefix", "X-Forwarded-Path",
	} {
		get("/", name, "/admin")
		get("/x", name, "http://admin.example/admin")
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Original-Host", "X-Host", "Forwarded", "X_Forwarded_Host", "Host", "X-Forwarded-Server"} {
		get("/", name, "admin.example")
		get("/", name, "host=admin.example")
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override", "x-http-method-override"} {
		for _, method := range []string{"DELETE", "delete", " DELETE", "GET", "Delete "} {
			all = append(all, try{method: "POST", target: "/", host: "www.example", fields: [][2]string{{name, method}}, body: "x"},
				try{method: "GET", target: "/", host: "www.example", fields: [][2]string{{name, method}}},
				try{method: "POST", target: "/", host: "www.example", fields: [][2]string{{name, "GET"}, {name, method}}, body: "x"})
		}
	}
	for _, query := range []string{"?_method=DELETE", "?_method=delete", "?a=b&_method=DELETE", "?%5fmethod=DELETE", "?_method=GET&_method=DELETE"} {
		all = append(all, try{method: "POST", target: "/" + query, host: "www.example", body: "x"})
	}
	for _, method := range []string{"DELETE", "delete", "TRACE", "TRACK", "CONNECT", "DEBUG", "PRI", "GET/DELETE", "DELETE\x00"} {
		all = append(all, try{method: method, target: "/", host: "www.example"}, try{method: method, target: "/admin", host: "www.example"})
	}
	get("/admin", "X-Forwarded-For", "10.0.0.1")
	get("/admin", "Forwarded", "for=10.0.0.1")
	get("/admin", "X-Real-IP", "10.0.0.1")
	get("/admin", "True-Client-IP", "10.0.0.1")
	get("/admin", "Expect", "100-continue", "Content-Length", "0")
	get("/admin", "Upgrade", "websocket", "Connection", "upgrade", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13")
	get("/admin", "Upgrade", "h2c", "Connection", "upgrade, http2-settings", "HTTP2-Settings", "AAMAAABkAAQAAP__")
	for _, raw := range []string{
		"GET /admin\r\n\r\n", "GET /admin HTTP/0.9\r\n\r\n", "GET /admin HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: admin.example\r\n\r\n", "GET /admin HTTP/1.2\r\nHost: a\r\n\r\n", "GET /admin HTTP/2.0\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: www.example\r\nHost: admin.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: admin.example\r\nHost: www.example\r\n\r\n", "GET / HTTP/1.1\r\nHost : admin.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: www.example\r\n Host: admin.example\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "GET http://admin.example/ HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n\r\n", "GET http://www.example/ HTTP/1.1\r\nHost: admin.example\r\nConnection: close\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: www.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: www.example\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: www.example\r\nTransfer-Encoding: chunked, identity\r\nConnection: close\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: www.example\r\nContent-Length: 34\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\nxx", "GET\t/admin\tHTTP/1.1\r\nHost: a\r\n\r\n", "GET  /admin HTTP/1.1\r\nHost: a\r\n\r\n", " GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x /admin HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		all = append(all, try{raw: raw})
	}
	return all
}

// TestHostileRequests: over every protocol, no spelling of a request gets past the rules
// of the route that it belongs to.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	app := new(lenient)
	upstream := httptest.NewServer(app)
	t.Cleanup(upstream.Close)
	_, all := startFronts(t, fmt.Sprintf(hostileRoutes, upstream.URL))
	short := os.Getenv("GOODGATE_LONG") == ""
	all.each(func(name string, send trySender) {
		if _, body := send(t, try{method: "GET", target: "/x", host: "www.example"}); body != "reached open" {
			t.Fatalf("%s: an ordinary request got %q", name, body)
		}
		for i, r := range hostileTries() {
			if short && name != "HTTP/1.1" && i%9 != 0 {
				continue // the rules are the same code: GOODGATE_LONG=1 tries all
			}
			if status, body := send(t, r); body == "reached denied" {
				t.Errorf("%s: %v: got %d %q", name, r, status, body)
			}
			for _, seen := range app.take() {
				t.Errorf("%s: %v reached the application as %s", name, r, seen)
			}
		}
	})
}
