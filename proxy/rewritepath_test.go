package proxy_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// targetOf returns a function that sends a request by a front, and returns the target that
// the upstream received, or the status of a refusal.
func targetOf(t *testing.T, front string, rt proxy.Route) func(target, fields string) string {
	t.Helper()
	s := setup{front: front, upstreams: specs("a:1"), route: rt}
	w := start(t, s)
	got := ""
	w.app("a:1", func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI })
	return func(target, fields string) string {
		got = ""
		if res := w.raw("GET " + target + " HTTP/1.1\nHost: shop.example:81\n" + fields + "\n"); res.status != 200 {
			return http.StatusText(res.status)
		}
		return got
	}
}

// A rewrite with variables, or with a query: values are escaped where they stand.
func TestRewriteTarget(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		for _, tc := range []struct{ re, to, target, fields, want string }{
			{"^/old/(.*)$", "/new/$1?from=old", "/old/a?x=1", "", "/new/a?from=old"},
			{"^/old/(.*)$", "/new/$1?from=old&{args}", "/old/a?x=1&y=%20", "", "/new/a?from=old&x=1&y=%20"},
			{"^/old/(.*)$", "/new/$1?{query}&from=old", "/old/a", "", "/new/a?from=old"},
			{"^/old/(.*)$", "/new?", "/old/a?x", "", "/new"},
			{"^/old/(.*)$", "/find?q=$1", "/old/a%26b=c%20d/e", "", "/find?q=a%26b%3Dc+d%2Fe"},
			{"^/old/(?P<rest>.*)$", "/new/${rest}x", "/old/a%20b?x", "", "/new/a%20bx?x"},
			{"^/other", "/new?x", "/old/a%2Fb?x=1", "", "/old/a%2Fb?x=1"},
			{"^/(.*)$", "/{header:X-Tenant}/$1", "/a?x", "X-Tenant: b c/d?e#f\n", "/b%20c%2Fd%3Fe%23f/a?x"},
			{"^/(.*)$", "/{hostname}/$1", "/a", "", "/shop.example/a"},
			{"^/(.*)$", "/t/{query:t}/$1", "/a?t=b%2F+c", "", "/t/b%2F%20c/a?t=b%2F+c"},
			{"^/a$", "/x{path}/y", "/a", "", "/x/a/y"},
			{"^/(.*)$", "/{cookie:none}/$1", "/a", "", "/a"},
			{"^/(.*)$", "/$1?h={header:X-A}&p={path}&t={query:t}&r={route}", "/a+b?t=1%262", "X-A: a&b=c\n", "/a+b?h=a%26b%3Dc&p=%2Fa%2Bb&t=1%262&r="},
			{"^/(.*)$", "/cost-$$1/$1", "/a", "", "/cost-$1/a"},
			{"^/(.*)$", "/{header:X-T}/$1", "/a", "X-T: ..\n", "Bad Request"},
			{"^/(.*)$", "/{header:X-T}/$1", "/a", "X-T: x/../../b\n", "Bad Request"},
			{"^/(.*)$", "/{header:X-T}/$1", "/a", "X-T: ..\\b\n", "Bad Request"},
			{"^/(.*)$", "/t/{query:t}/$1", "/a?t=%2e%2e%2fb", "", "Bad Request"},
			{"^/(.*)$", "/{header:X-T}/$1", "/a", "X-T: ..;x\n", "Bad Request"},
			{"^/files-(.*)$", "/$1?x", "/files-../a", "", "Bad Request"},
			{"^/(.*)$", "/$1?n=\xc3\xa9", "/a", "", "/a?n=\xc3\xa9"},
		} {
			ask := targetOf(t, front, proxy.Route{RewritePath: &proxy.RewritePath{Regexp: regexp.MustCompile(tc.re), To: tc.to}})
			if got := ask(tc.target, tc.fields); got != tc.want {
				t.Errorf("%s: %s -> %s: %s %q: got %q, want %q", front, tc.re, tc.to, tc.target, tc.fields, got, tc.want)
			}
		}
	}
	groups := proxy.Route{Match: proxy.Match{PathRegexp: regexp.MustCompile("^/([a-z]+)/([^/]*)$")}, RewritePath: &proxy.RewritePath{Regexp: regexp.MustCompile("^/"), To: "/{2}?{1}={2}"}}
	if got := targetOf(t, "inbound", groups)("/a/b%26c", ""); got != "/b&c?a=b%26c" {
		t.Errorf("groups of the route: got %q", got)
	}
}

// Edits of the query leave the other parameters as the client sent them.
func TestQueryEdits(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		for _, tc := range []struct {
			edits          proxy.QueryEdits
			target, fields string
			want           string
		}{
			{proxy.QueryEdits{Remove: []string{"utm source", "b"}}, "/?a=%7e&utm+source=1&%62=2&c&b", "", "/?a=%7e&c"},
			{proxy.QueryEdits{Remove: []string{"a"}}, "/x?a=1", "", "/x"},
			{proxy.QueryEdits{Remove: []string{"a"}}, "/x%2Fy", "", "/x%2Fy"},
			{proxy.QueryEdits{Set: map[string]string{"a": "1", "b c": "d e&f"}}, "/?a=0&x&a", "", "/?x&a=1&b+c=d+e%26f"},
			{proxy.QueryEdits{Set: map[string]string{"a": "1"}, Add: map[string]string{"a": "2"}}, "/", "", "/?a=1&a=2"},
			{proxy.QueryEdits{Add: map[string]string{"t": "{header:X-T}"}}, "/?t=0", "X-T: a&b\n", "/?t=0&t=a%26b"},
			{proxy.QueryEdits{Set: map[string]string{"t": "{header:X-T}"}}, "/?t=0", "", "/"},
			{proxy.QueryEdits{Set: map[string]string{"t": ""}}, "/?t=0", "", "/?t="},
			{proxy.QueryEdits{Set: map[string]string{"t": "{query:a}-{host}"}}, "/?a=b%26", "", "/?a=b%26&t=b%26-shop.example%3A81"},
		} {
			ask := targetOf(t, front, proxy.Route{RequestQuery: &tc.edits})
			if got := ask(tc.target, tc.fields); got != tc.want {
				t.Errorf("%s: %+v: %s: got %q, want %q", front, tc.edits, tc.target, got, tc.want)
			}
		}
	}
	both := proxy.Route{RewritePath: &proxy.RewritePath{Regexp: regexp.MustCompile("^/a"), To: "/b?x=1&y=2"}, RequestQuery: &proxy.QueryEdits{Remove: []string{"y"}}}
	if got := targetOf(t, "inbound", both)("/a?z", ""); got != "/b?x=1" {
		t.Errorf("after a rewrite: got %q", got)
	}
}
