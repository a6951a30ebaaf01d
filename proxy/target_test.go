package proxy_test

import (
	"fmt"
	"net/http"
	"testing"
)

// A query is the application's to read: browsers and scripts send in it what a path
// may not have (PavlidisLab/Gemma#1214).
func TestQueryGoesAsItCame(t *testing.T) {
	t.Parallel()
	for query, status := range map[string]int{
		`q=\d+`: 200, `a=\\host\share&b=..\x`: 200, `q=/../\`: 200, `q="<>^{|}[]` + "`": 200, "q=100%": 200, "q=%zz%00%0a": 200, "q=a?b?c": 200, "q=\xff\xc3\xbc": 200, ";;&&=": 200,
		"q#c": 400, "q=\x01": 400, "q=\x7f": 400,
	} {
		for _, form := range []string{"", "http://example.com"} {
			w := start(t, setup{upstreams: specs("app:80")})
			var got string
			w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI })
			target, want := "/p?"+query, ""
			if status == 200 {
				want = target
			}
			check(t, fmt.Sprintf("status of %s%q", form, target), w.raw("GET "+form+target+" HTTP/1.1\nHost: example.com\n\n").status, status)
			check(t, "target", got, want)
		}
	}
	w := start(t, setup{upstreams: specs("app:80")})
	for _, target := range []string{`/a\b`, `/\?q`, `http://example.com\a/`, `http://example.com\@evil.example/?q`} {
		check(t, fmt.Sprintf("status of %q", target), w.raw("GET "+target+" HTTP/1.1\nHost: example.com\n\n").status, 400)
	}
}
