package admin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// caching returns the API of a pool that has kept responses for clients.
func caching(t *testing.T, paths ...string) (*fake, *Server) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Cache-Control", "max-age=60") }))
	t.Cleanup(app.Close)
	p, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{Stale: proxy.Stale{MaxSize: 1 << 20, Hits: true}, Commit: proxy.Commit{Buffer: 1 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]balancer.Spec{{Addr: app.Listener.Addr().String()}})
	t.Cleanup(func() { p.Update(nil) })
	h, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Name: "all", Pool: p}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://example.com"+path, nil))
	}
	f, s := newTest(t, Options{})
	f.pool = p
	return f, s
}

func TestPurge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query  string
		status int
		want   string // in the answer
		left   int    // of /a, /a?x, /b/c, /b/d
	}{
		{"url=/a", 200, `"resources": 2`, 2},
		{"url=/a?x", 200, `"resources": 1`, 3},
		{"url=" + url.QueryEscape("https://EXAMPLE.com/b/c"), 200, `"resources": 1`, 3},
		{"url=" + url.QueryEscape("http://other.com/b/c"), 200, `"resources": 0`, 4},
		{"url=/none&pool=app", 200, `"app"`, 4},
		{"prefix=/b", 200, `"resources": 2`, 2},
		{"prefix=/", 200, `"resources": 4`, 0},
		{"prefix=http://example.com", 200, `"resources": 4`, 0},
		{"all=true", 200, `"resources": 4`, 0},
		{"all=true&pool=app&why=deploy", 200, `"resources": 4`, 0},
		{"all=true&pool=other", 404, "other", 4},
		{"", 400, "say what to purge", 4},
		{"pool=app", 400, "say what to purge", 4},
		{"all=false", 400, "say what to purge", 4},
		{"all=maybe", 400, "true or false", 4},
		{"url=", 400, "expected a URL", 4},
		{"url=a", 400, "begins with a slash", 4},
		{"url=ftp://a/b", 400, "http or https", 4},
		{"url=/a&prefix=/b", 400, "one of url, prefix and all", 4},
		{"url=/a&all=true", 400, "one of url, prefix and all", 4},
		{"prefix=/a%3Fx", 400, "cannot have a query", 4},
		{"uri=/a", 400, "unknown parameter", 4},
		{"url=%zz", 400, "malformed", 4},
	} {
		f, s := caching(t, "/a", "/a?x", "/b/c", "/b/d")
		status, body := call(s, "DELETE", "/v1/cache?"+c.query, "")
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d %s, want %d and %q in it", c.query, status, body, c.status, c.want)
		}
		state, _ := f.pool.Cache()
		if state.Resources != c.left {
			t.Errorf("%s: %d resources are left, want %d", c.query, state.Resources, c.left)
		}
		if told := len(f.purged) == 1; told != (c.status == 200) {
			t.Errorf("%s: told %q", c.query, f.purged)
		}
	}
	_, s := newTest(t, Options{})
	if status, body := call(s, "DELETE", "/v1/cache?all=true", ""); status != 404 || !strings.Contains(body, "nothing to purge") {
		t.Errorf("without a cache: got %d %s", status, body)
	}
}

func TestCacheState(t *testing.T) {
	t.Parallel()
	_, s := caching(t, "/a", "/a", "/a", "/b")
	status := s.status()
	c := status.Pools[0].Cache
	if c == nil || c.Hits != 2 || c.Misses != 2 || c.Stored != 2 || c.Resources != 2 || c.Bytes == 0 || c.Limit != 1<<20 {
		t.Fatalf("got %+v", c)
	}
	if got, want := c.Line(), "cache: 50% of 4 requests answered without an upstream; 2 URLs, 0.0 of 1 MiB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
