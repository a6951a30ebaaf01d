package proxy

import (
	"testing"
	"time"
)

func FuzzRetryAfter(f *testing.F) {
	for _, v := range []string{"", "0", "120", "-1", "1e9", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if d, ok := parseRetryAfter(v, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); d < 0 || d > 0 && !ok {
			t.Errorf("%q: got %v, want no time before now", v, d)
		}
	})
}
