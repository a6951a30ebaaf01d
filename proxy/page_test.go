package proxy_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// failing returns a proxy that answers every request with no_route.
func failing(tb testing.TB, pages *proxy.Pages) *world {
	return start(tb, setup{proxy: proxy.Options{Pages: pages}, route: proxy.Route{Match: proxy.Match{Path: "/none"}, Respond: &proxy.Respond{}}})
}

func (w *world) accept(values ...string) answer {
	r := w.request("GET", "/", nil)
	r.Header["Accept"] = values
	return w.do(r)
}

func TestPagesByAccept(t *testing.T) {
	t.Parallel()
	w := failing(t, nil)
	for accept, want := range map[string]string{
		"":                            "text/plain; charset=utf-8",
		"*/*":                         "text/plain; charset=utf-8",
		"image/png":                   "text/plain; charset=utf-8",
		"text/html,*/*;q=0.8":         "text/html; charset=utf-8",
		"application/xhtml+xml":       "text/html; charset=utf-8",
		"application/json":            "application/json",
		"application/problem+json":    "application/json",
		"APPLICATION/JSON;q=1, */*":   "application/json",
		"application/json, text/html": "application/json",
		", ;,":                        "text/plain; charset=utf-8",
	} {
		got := w.accept(accept)
		check(t, "content type for "+accept, got.header.Get("Content-Type"), want)
		check(t, "status", got.status, 404)
		check(t, "Cache-Control", got.header.Get("Cache-Control"), "no-store")
		check(t, "Content-Length", got.header.Get("Content-Length"), strconv.Itoa(len(got.body)))
		id := got.header.Get("X-Request-Id")
		for _, part := range []string{"404", "no_route", "Nothing is configured", id} {
			if !strings.Contains(got.body, part) {
				t.Errorf("Accept %q: %q is missing in %q", accept, part, got.body)
			}
		}
	}
}

func TestPageJSON(t *testing.T) {
	t.Parallel()
	var got map[string]any
	if err := json.Unmarshal([]byte(failing(t, nil).accept("application/json").body), &got); err != nil {
		t.Fatal(err)
	}
	check(t, "status", got["status"], any(404.0))
	check(t, "reason", got["reason"], any("no_route"))
}

// The request ID of a trusted proxy cannot break out of a page.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	w := failing(t, nil)
	for accept, never := range map[string]string{"text/html": "<b>", "application/json": "\\"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "@"
		r.Header = http.Header{"Accept": {accept}, "X-Request-Id": {`<b>\u0022"`}}
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		if strings.Contains(rec.Body.String(), never) {
			t.Errorf("%s: %s", accept, rec.Body)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "@"
	r.Header = http.Header{"Accept": {"text/html"}, "X-Request-Id": {"<b>x</b>"}}
	rec := httptest.NewRecorder()
	w.proxy.ServeHTTP(rec, r)
	if strings.Contains(rec.Body.String(), "<b>") {
		t.Errorf("the id is not escaped: %s", rec.Body)
	}
}

func TestCustomPages(t *testing.T) {
	t.Parallel()
	pages, err := proxy.NewPages(`<p>{{.Status}} {{.Title}} {{.Reason}}</p>`, `{"r":"{{.Reason}}"}`)
	if err != nil {
		t.Fatal(err)
	}
	w := failing(t, pages)
	check(t, "html", w.accept("text/html").body, "<p>404 Not Found no_route</p>")
	check(t, "json", w.accept("application/json").body, `{"r":"no_route"}`)
}

// TestTemplateEscapes: the request ID of a trusted proxy stays within the page's string
// or text.
func TestTemplateEscapes(t *testing.T) {
	t.Parallel()
	pages, err := proxy.NewPages(`<p title='{{.RequestID}}'>{{.RequestID}}</p><script>var id = '{{.RequestID}}'</script>`, `{"id":"{{.RequestID}}"}`)
	if err != nil {
		t.Fatal(err)
	}
	w := failing(t, pages)
	for accept, want := range map[string]string{
		"text/html":        `<p title='&#39;&gt;&lt;b&gt;'>&#39;&gt;&lt;b&gt;</p><script>var id = '\u0027\u003e\u003cb\u003e'</script>`,
		"application/json": `{"id":"'><b>"}`,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "@"
		r.Header = http.Header{"Accept": {accept}, "X-Request-Id": {"'><b>"}}
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		check(t, accept, rec.Body.String(), want)
	}
}

func TestBrokenPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ html, json, want string }{
		{"{{", "", "HTML error page"},
		{"", "{{", "JSON error page"},
		{"{{.Nope}}", "", "Nope"},
		{"", "{{.Nope}}", "Nope"},
	} {
		if _, err := proxy.NewPages(tc.html, tc.json); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q %q: got error %v, want %s", tc.html, tc.json, err, tc.want)
		}
	}
	pages, err := proxy.NewPages(`half a page {{if .Status}}{{index .Title 1000}}{{end}}`, "")
	if err != nil {
		t.Fatal(err)
	}
	got := failing(t, pages).accept("text/html")
	check(t, "page", got.body, "404 Not Found\n")
	check(t, "content type", got.header.Get("Content-Type"), "text/plain; charset=utf-8")
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "*/*", "text/html;q=0, application/json", ",,;;", "+json"} {
		f.Add(s)
	}
	w := failing(f, nil)
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = []string{accept}
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		w.mu.Lock()
		w.records = nil
		w.mu.Unlock()
		if rec.Code != 404 || rec.Body.Len() == 0 {
			t.Errorf("got %d, %q", rec.Code, rec.Body)
		}
	})
}

// TestSuppressedBodyIsNotSent: a body that HEAD or the status suppresses does not count
// as sent, and is not a failure.
func TestSuppressedBodyIsNotSent(t *testing.T) {
	t.Parallel()
	page := setup{route: proxy.Route{Match: proxy.Match{Path: "/none"}, Respond: &proxy.Respond{}}}
	fixed := func(status int) setup {
		return setup{route: proxy.Route{Respond: &proxy.Respond{Status: status, Body: "fixed"}}}
	}
	for name, test := range map[string]struct {
		setup  setup
		method string
		sends  bool
	}{
		"a page":                   {page, "GET", true},
		"a page, HEAD":             {page, "HEAD", false},
		"a fixed answer":           {fixed(200), "GET", true},
		"a fixed answer, HEAD":     {fixed(200), "HEAD", false},
		"a fixed answer, 204":      {fixed(204), "GET", false},
		"a fixed answer, 304":      {fixed(304), "GET", false},
		"an application's, HEAD":   {setup{upstreams: specs("app:80")}, "HEAD", false},
		"an application's":         {setup{upstreams: specs("app:80")}, "GET", true},
		"no upstream, HEAD":        {setup{}, "HEAD", false},
		"a fallback's fixed":       {setup{route: proxy.Route{Fallback: &proxy.Fallback{Respond: &proxy.Respond{Body: "fixed"}}}}, "GET", true},
		"a fallback's fixed, HEAD": {setup{route: proxy.Route{Fallback: &proxy.Fallback{Respond: &proxy.Respond{Body: "fixed"}}}}, "HEAD", false},
	} {
		bubble(t, test.setup, func(w *world) {
			w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("from the application")) })
			got := w.send(test.method, "/", nil)
			r := w.record()
			check(t, name+": sent", r.Sent, int64(len(got.body)))
			check(t, name+": something was sent", r.Sent > 0, test.sends)
			if r.Reason == reason.ClientGone {
				t.Errorf("%s: the client is said to have left", name)
			}
		})
	}
}
