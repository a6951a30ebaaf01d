package proxy

import (
	"fmt"
	"testing"
)

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-4/10", "bytes 9-9/10", "bytes 5-4/10", "bytes 0-10/10", "bytes */10", "bytes 0-4/*", "bytes -1-4/10", "bytes 0-4/99999999999999999999", "bytes=0-4", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, to, total, ok := parseContentRange(s)
		if !ok {
			return
		}
		if from < 0 || from > to || to >= total {
			t.Errorf("%q: got %d-%d/%d", s, from, to, total)
		}
		again := fmt.Sprintf("bytes %d-%d/%d", from, to, total)
		if a, b, c, ok := parseContentRange(again); a != from || b != to || c != total || !ok {
			t.Errorf("%q, written again as %q: got %d-%d/%d, %v", s, again, a, b, c, ok)
		}
	})
}
