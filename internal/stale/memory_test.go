package stale

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
)

// TestMemory fills a cache with everything that clients and applications may send, and
// checks that its memory stays within the limit. The texts are parts of larger ones,
// which the cache must not keep.
func TestMemory(t *testing.T) {
	const bound = 512 << 10
	for name, tt := range map[string]struct {
		entries int
		each    func(n int) (target string, request http.Header, response http.Header, body int)
	}{
		"many small ones": {1500, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n), http.Header{}, http.Header{}, 0
		}},
		"long targets": {250, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n, strings.Repeat("a", 8000)), http.Header{}, http.Header{}, 1
		}},
		"few fields": {1000, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n), http.Header{}, manyFields(2, 10), 10
		}},
		"many fields": {250, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n), http.Header{}, manyFields(113, 1), 10
		}},
		"many values": {250, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n), http.Header{}, http.Header{"A": make([]string, 1000)}, 10
		}},
		"odd bodies": {250, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n), http.Header{}, http.Header{}, 33<<10 + 1
		}},
		"variants by Vary": {1200, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n/60), fields("X-N: " + fmt.Sprint(n, strings.Repeat("v", 1000))), fields("Vary: X-N, " + strings.Repeat("X, ", 50)), 10
		}},
		"variants without": {1200, func(n int) (string, http.Header, http.Header, int) {
			return fmt.Sprint("/", n/60), fields("X-Forwarded-Host: " + fmt.Sprint(n, strings.Repeat("v", 1000))), http.Header{}, 10
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var c *Cache
			kept := heaptest.Kept(t, func() any {
				c = New(Options{MaxSize: bound, IfError: time.Hour})
				for n := range tt.entries {
					target, request, response, body := tt.each(n)
					parts := heaptest.Pinned("GET", "http", "host", target)
					k := Key{Method: parts[0], Scheme: parts[1], Host: parts[2], Target: parts[3], Route: "all"}
					c.Put(k, pinned(request), &http.Response{StatusCode: 200, Header: pinned(response)}, make([]byte, body), now)
				}
				return c
			})
			heaptest.Within(t, name, kept, bound)
			if c.Size() > bound || c.Size() < bound*3/4 {
				t.Errorf("it says that it keeps %d bytes, of %d", c.Size(), bound)
			}
			if kept > c.Size()*3/2 {
				t.Errorf("it says that it keeps %d bytes, and keeps %d", c.Size(), kept)
			}
		})
	}
}

func manyFields(n, size int) http.Header {
	h := http.Header{}
	for i := range n {
		h.Set(fmt.Sprint("X-", i), strings.Repeat("v", size))
	}
	return h
}

// pinned returns a header whose texts are parts of a larger text.
func pinned(h http.Header) http.Header {
	names := slices.Sorted(maps.Keys(h))
	var texts []string
	for _, name := range names {
		texts = append(append(texts, name), h[name]...)
	}
	texts = heaptest.Pinned(texts...)
	p := http.Header{}
	for _, name := range names {
		end := 1 + len(h[name])
		p[texts[0]], texts = texts[1:end:end], texts[end:]
	}
	return p
}
