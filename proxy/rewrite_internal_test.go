package proxy

import (
	"cmp"
	"net/url"
	"strings"
	"testing"
)

// The two forms of a path stay equivalent, and the rest after the prefix is kept.
func FuzzRewritePath(f *testing.F) {
	for _, path := range []string{"/", "/api", "/api/x", "/api%2Fx", "/%61pi/a%2Fb", "//", "/api//x", "/a;b", "/\u00fc", "/%C3%BC%2F", "/api/%2e%2e/x"} {
		f.Add(path, "/api", "/v1")
		f.Add(path, "", "/\u00fc")
		f.Add(path, "/api/", "")
		f.Add(path, "/", "")
	}
	f.Fuzz(func(t *testing.T, path, strip, add string) {
		valid := func(prefix string) bool { return prefix == "" || prefix[0] == '/' }
		u, err := url.Parse("http://example.com" + path)
		if err != nil || u.Host != "example.com" || !strings.HasPrefix(u.Path, "/") || !valid(strip) || !valid(add) {
			t.Skip()
		}
		before := *u
		(&Route{StripPrefix: strip, AddPrefix: add}).rewritePath(u)
		if !strings.HasPrefix(u.EscapedPath(), "/") {
			t.Errorf("got %q, which is no path", u.EscapedPath())
		}
		if path, err := url.PathUnescape(u.RawPath); u.RawPath != "" && (err != nil || path != u.Path) {
			t.Errorf("the encoded form %q is not one of %q", u.RawPath, u.Path)
		}
		if rest := strings.TrimPrefix(u.Path, add); !strings.HasSuffix(before.Path+"/", rest) && !strings.HasSuffix(before.Path, rest) {
			t.Errorf("got %q from %q, strip %q, add %q", u.Path, before.Path, strip, add)
		}
		spelled := func(u *url.URL) string { return cmp.Or(u.RawPath, u.EscapedPath()) }
		if strip == "" && !strings.HasSuffix(spelled(u), spelled(&before)) {
			t.Errorf("got %q from %q without a prefix to strip", spelled(u), spelled(&before))
		}
	})
}
