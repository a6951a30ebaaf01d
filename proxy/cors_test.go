package proxy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// A browser's requests and the fields it gets (Fetch Standard, section 3.2), on every
// kind of answer.
func TestCORS(t *testing.T) {
	t.Parallel()
	app := &proxy.CORS{Origins: []string{"https://app.example.com", "https://*.trusted.org"}, Methods: []string{"PUT"}, Headers: []string{"X-A", "Authorization"},
		Expose: []string{"X-Total"}, Credentials: true, MaxAge: 10 * time.Minute}
	all := &proxy.CORS{Origins: []string{"*"}, Methods: []string{"*"}, Headers: []string{"*"}}
	const grant, creds, methods, headers, age, expose = "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
		"Access-Control-Allow-Headers", "Access-Control-Max-Age", "Access-Control-Expose-Headers"
	for _, front := range fronts {
		for _, c := range []struct {
			name      string
			cors      *proxy.CORS
			method    string
			origin    string
			preflight string
			status    int
			want      map[string]string
		}{
			{"granted", app, "GET", "https://app.example.com", "", 200, map[string]string{grant: "https://app.example.com", creds: "true", expose: "X-Total", "Vary": "Accept,Origin"}},
			{"below", app, "GET", "https://a.b.trusted.org", "", 200, map[string]string{grant: "https://a.b.trusted.org"}},
			{"not itself", app, "GET", "https://trusted.org", "", 200, map[string]string{grant: ""}},
			{"not another scheme", app, "GET", "http://a.trusted.org", "", 200, map[string]string{grant: ""}},
			{"a name with the same ending", app, "GET", "https://eviltrusted.org", "", 200, map[string]string{grant: ""}},
			{"not by a port", app, "GET", "https://evil.com:1.trusted.org", "", 200, map[string]string{grant: ""}},
			{"no origin", app, "GET", "", "", 200, map[string]string{grant: "", creds: "", "Vary": "Accept,Origin"}},
			{"another", app, "GET", "https://evil.example.com", "", 200, map[string]string{grant: "", creds: "", "Vary": "Accept,Origin"}},
			{"an error", app, "TRACE", "https://app.example.com", "", 405, map[string]string{}},
			{"preflight", app, "OPTIONS", "https://app.example.com", "PUT", 204, map[string]string{grant: "https://app.example.com", creds: "true", methods: "GET, HEAD, POST, PUT",
				headers: "X-A, Authorization", age: "600", "Vary": "Access-Control-Request-Headers,Access-Control-Request-Method,Origin", expose: ""}},
			{"preflight of another", app, "OPTIONS", "https://evil.example.com", "PUT", 204, map[string]string{grant: "", methods: "", creds: ""}},
			{"OPTIONS of its own", app, "OPTIONS", "https://app.example.com", "", 200, map[string]string{grant: "https://app.example.com", methods: ""}},
			{"all", all, "GET", "https://evil.example.com", "", 200, map[string]string{grant: "*", creds: "", "Vary": "Accept"}},
			{"all, preflight", all, "OPTIONS", "https://evil.example.com", "PATCH", 204, map[string]string{grant: "*", methods: "PATCH", headers: "x-b, x-c"}},
		} {
			s := setup{front: front, upstreams: specs("app:80"), route: proxy.Route{CORS: c.cors, Access: proxy.Access{}}}
			w := start(t, s)
			w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Vary", "Accept")
				rw.Header().Set(grant, "https://upstream.example.com")
				rw.Header().Set(creds, "true")
			})
			r := w.request(c.method, "/", nil)
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.preflight != "" {
				r.Header.Set("Access-Control-Request-Method", c.preflight)
				r.Header.Set("Access-Control-Request-Headers", "x-b, x-c")
			}
			got := w.do(r)
			check(t, front+": "+c.name, got.status, c.status)
			for name, want := range c.want {
				values := slices.Clone(got.header[name])
				if name == "Vary" {
					slices.Sort(values) // the order differs between the relays
				}
				check(t, front+": "+c.name+": "+name, strings.Join(values, ","), want)
			}
		}
	}
}

// A preflight carries no password, and is answered without one. The 401 has the CORS
// fields, so that the page can read it. A failure of the upstream has them too.
func TestCORSBeforeThePassword(t *testing.T) {
	t.Parallel()
	c := &proxy.CORS{Origins: []string{"https://app.example.com"}, Headers: []string{"Authorization"}}
	w := start(t, setup{upstreams: specs("app:80"), route: proxy.Route{CORS: c, Access: proxy.Access{Basic: &proxy.BasicAuth{Users: userFile(t, "alice")}}}})
	ask := func(method, user string) answer {
		r := w.request(method, "/", nil)
		r.Header.Set("Origin", "https://app.example.com")
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "GET")
		}
		if user != "" {
			r.SetBasicAuth(user, user)
		}
		return w.do(r)
	}
	for what, got := range map[string]answer{"204": ask("OPTIONS", ""), "401": ask("GET", ""), "502": ask("GET", "alice")} {
		check(t, what, got.status, map[string]int{"204": 204, "401": 401, "502": 502}[what])
		check(t, what+": grant", got.header.Get("Access-Control-Allow-Origin"), "https://app.example.com")
	}
}

// Refusals before and by forward auth have the route's CORS fields, and no others.
func TestCORSOnRefusals(t *testing.T) {
	t.Parallel()
	grants := func(got answer) string { return strings.Join(got.header["Access-Control-Allow-Origin"], ",") }
	rules := func(s *setup) {
		s.route.CORS = &proxy.CORS{Origins: []string{"https://app.example.com"}, Credentials: true}
		s.route.Limits = &proxy.Limits{Rates: []*proxy.Rate{proxy.NewRate(proxy.Rate{Name: "few", PerSecond: 0.01, Burst: 2})}}
	}
	for _, front := range fronts {
		service := func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Access-Control-Allow-Origin", "*")
			rw.WriteHeader(http.StatusUnauthorized)
		}
		asked(t, front, proxy.ForwardAuth{Path: "/"}, service, func(w *world) {
			for _, c := range []struct {
				origin string
				status int
				want   string
			}{
				{"https://app.example.com", 401, "https://app.example.com"}, {"https://evil.example.com", 401, ""},
				{"https://app.example.com", 429, "https://app.example.com"}, {"https://evil.example.com", 429, ""},
			} {
				r := w.request("GET", "/", nil)
				r.Header.Set("Origin", c.origin)
				got := w.do(r)
				check(t, front+": "+c.origin, got.status, c.status)
				check(t, front+": "+c.origin+": grant", grants(got), c.want)
				check(t, front+": "+c.origin+": Vary", got.header.Get("Vary"), "Origin")
			}
		}, rules)
		w := start(t, setup{front: front, route: proxy.Route{
			CORS: &proxy.CORS{Origins: []string{"*"}}, Access: proxy.Access{Networks: networks(t, "", "0.0.0.0/0 ::/0")},
		}})
		r := w.request("GET", "/", nil)
		r.Header.Set("Origin", "https://app.example.com")
		got := w.do(r)
		check(t, front+": networks", got.status, 403)
		check(t, front+": networks: grant", grants(got), "*")
	}
}

// A list of origins that contains everybody is no permission to change something.
func TestCrossOriginBesideCORSForAll(t *testing.T) {
	t.Parallel()
	rule, err := proxy.NewCrossOrigin()
	if err != nil {
		t.Fatal(err)
	}
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{CrossOrigin: rule, CORS: &proxy.CORS{Origins: []string{"*", "null", "https://*.example.org"}}}})
		told(w)
		for origin, want := range map[string]int{"https://evil.example.com": 403, "null": 403, "https://a.example.org": 200} {
			r := w.request("POST", "/", nil)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", origin)
			check(t, front+": "+origin, w.do(r).status, want)
		}
	}
}

// Unsafe requests from pages of other origins are refused.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	rule, err := proxy.NewCrossOrigin("https://pay.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{CrossOrigin: rule, CORS: &proxy.CORS{Origins: []string{"https://app.example.com"}}}})
		told(w)
		for _, c := range []struct {
			method, site, origin string
			want                 int
		}{
			{"POST", "", "", 200}, {"POST", "same-origin", "http://example.com", 200}, {"POST", "none", "", 200},
			{"POST", "cross-site", "https://evil.example.com", 403}, {"POST", "same-site", "https://evil.example.com", 403}, {"DELETE", "cross-site", "", 403},
			{"GET", "cross-site", "https://evil.example.com", 200}, {"HEAD", "cross-site", "", 200},
			{"POST", "", "https://evil.example.com", 403}, {"POST", "", "http://example.com", 200}, {"POST", "", "null", 403},
			{"POST", "cross-site", "https://pay.example.com", 200}, {"POST", "cross-site", "https://app.example.com", 200},
		} {
			r := w.request(c.method, "/", nil)
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			check(t, front+": "+c.method+" "+c.site+" "+c.origin, w.do(r).status, c.want)
		}
	}
	if _, err := proxy.NewCrossOrigin("pay.example.com"); err == nil {
		t.Error("an origin without a scheme is taken")
	}
}

// The route adds security headers that the application does not set, to errors too.
func TestSecureHeaders(t *testing.T) {
	t.Parallel()
	rule := &proxy.SecureHeaders{HSTS: "max-age=1", ContentType: "nosniff", Frame: "SAMEORIGIN", Referrer: "same-origin"}
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), proxy: proxy.Options{Trusted: networksAll}, route: proxy.Route{SecureHeaders: rule}})
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/own" {
				rw.Header().Set("X-Frame-Options", "DENY")
				rw.Header().Set("Referrer-Policy", "")
			}
			if r.URL.Path == "/policy" {
				rw.Header().Set("Content-Security-Policy", "frame-ancestors 'none'")
			}
			if r.URL.Path == "/cut" {
				panic(http.ErrAbortHandler)
			}
		})
		for _, c := range []struct{ path, proto, frame, hsts string }{{"/", "http", "SAMEORIGIN", ""}, {"/", "https", "SAMEORIGIN", "max-age=1"}, {"/own", "http", "DENY", ""}, {"/policy", "http", "", ""}, {"/cut", "https", "SAMEORIGIN", "max-age=1"}} {
			r := w.request("GET", c.path, nil)
			r.Header.Set("X-Forwarded-Proto", c.proto)
			got := w.do(r)
			check(t, front+": "+c.path+": X-Frame-Options", strings.Join(got.header["X-Frame-Options"], ","), c.frame)
			check(t, front+": "+c.path+": HSTS", strings.Join(got.header["Strict-Transport-Security"], ","), c.hsts)
			check(t, front+": "+c.path+": nosniff", got.header.Get("X-Content-Type-Options"), "nosniff")
		}
	}
}
