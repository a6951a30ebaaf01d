package proxy_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// Conditions on headers, parameters and cookies match if one of several values does, in
// any equivalent spelling, for both kinds of requests.
func TestMatchValues(t *testing.T) {
	t.Parallel()
	re := func(of proxy.Source, name, expression string) proxy.Match {
		return proxy.Match{Patterns: []proxy.Pattern{{Of: of, Name: name, Regexp: regexp.MustCompile(expression)}}}
	}
	query := func(name, value string) proxy.Match { return proxy.Match{Query: map[string]string{name: value}} }
	cookie := func(name, value string) proxy.Match { return proxy.Match{Cookies: map[string]string{name: value}} }
	for _, tc := range []struct {
		m       proxy.Match
		yes, no []string // a target; or a field "Name: value"
	}{
		{query("a", "1"), []string{"/?a=1", "/?b=2&a=1", "/?a=2&a=1", "/?%61=%31", "/?a=1&"}, []string{"/", "/?a=2", "/?b=1", "/?A=1", "/?a=11", "/?b=;a=1", "/?a"}},
		{query("a", "*"), []string{"/?a", "/?a=", "/?a=x"}, []string{"/", "/?b=a", "/?aa=1", "/?&"}},
		{query("a", ""), []string{"/?a"}, []string{"/?"}},
		{query("a b", "c d"), []string{"/?a+b=c+d", "/?a%20b=c%20d"}, []string{"/?a%2Bb=c+d"}},
		{query("a", "%zz"), []string{"/?a=%zz"}, []string{"/?a=zz"}},
		{re(proxy.FromQuery, "n", "^[0-9]+$"), []string{"/?n=7", "/?n=x&n=7", "/?n=%37"}, []string{"/?n=", "/", "/?n=7x", "/?m=7"}},
		{cookie("c", "1"), []string{"Cookie: c=1", "Cookie: a=b; c=1", "Cookie: c=2; c=1"}, []string{"Cookie: c=2", "Cookie: d=1", "X: c=1", "Cookie: C=1"}},
		{cookie("c", "*"), []string{"Cookie: c=", "Cookie: c=x"}, []string{"Cookie: cc=1", "/"}},
		{cookie("c", `{"a":"1\2"}`), []string{`Cookie: b; c={"a":"1\2"}`}, []string{`Cookie: c={"a"`}},
		{cookie("c", "\xfc"), []string{"Cookie: c=\xfc"}, []string{"Cookie: c=x"}},
		{cookie("c", "1"), []string{"Cookie: c=1" + strings.Repeat(";", 5000), `Cookie: c="1"`, "Cookie: c=2\nCookie: c = 1 "}, []string{"Cookie: c='1'", "Cookie: c1"}},
		{proxy.Match{Patterns: []proxy.Pattern{{Of: proxy.FromCookie, Name: "c", Absent: true}}}, []string{"/", "Cookie: cc=1", "Cookie: =c"}, []string{"Cookie: c", "Cookie: c=", `Cookie: c="`}},
		{proxy.Match{Headers: map[string]string{"Host": "a"}}, []string{"/"}, nil},
		{re(proxy.FromHeader, "Host", "^b"), nil, []string{"/"}},
		{re(proxy.FromCookie, "c", "^v2-"), []string{"Cookie: c=v2-x"}, []string{"Cookie: c=v1-v2-", "/"}},
		{re(proxy.FromHeader, "User-Agent", "(?i)bot"), []string{"User-Agent: GoogleBot/1"}, []string{"User-Agent: Mozilla", "/", "X-Bot: bot"}},
		{proxy.Match{Query: map[string]string{"a": "1"}, Cookies: map[string]string{"c": "1"}}, nil, []string{"/?a=1", "Cookie: c=1"}},
	} {
		for _, front := range []string{"inbound", "net/http"} {
			s := setup{front: front, route: proxy.Route{Match: tc.m, Respond: &proxy.Respond{Status: 204}}}
			w := start(t, s)
			ask := func(what string, want int) {
				t.Helper()
				target, field := what, ""
				if what[0] != '/' {
					target, field = "/", what+"\n"
				}
				res := w.raw("GET " + target + " HTTP/1.1\nHost: a\n" + field + "\n")
				if res.status != want {
					t.Errorf("%s: %+v: %q: got %d, want %d", front, tc.m, what, res.status, want)
				}
			}
			for _, what := range tc.yes {
				ask(what, 204)
			}
			for _, what := range tc.no {
				ask(what, 404)
			}
		}
	}
}

// A header in a pattern reaches upstreams in no other spelling.
func TestPatternsGuardTheirHeaders(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.route.Match.Patterns = []proxy.Pattern{{Of: proxy.FromHeader, Name: "X-Role", Regexp: regexp.MustCompile("^user$")}}
	_, sent := echo(t, s)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["X-Role"], r.Header["X_role"] = []string{"user"}, []string{"admin"}
	if got := sent(r).Header; len(got["X_role"]) > 0 || got.Get("X-Role") != "user" {
		t.Errorf("got %v", got)
	}
}
