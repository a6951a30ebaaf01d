package diagnose

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchReading checks that slow reading is reported after a second, then less and
// less often, and not after its end. Fast reading is not reported.
func TestWatchReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		w := watchReading("a.log", func(s string) { told = append(told, s) })
		if _, err := io.Copy(io.Discard, w.reader(strings.NewReader(strings.Repeat("x", 3<<20)))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		w.stop()
		time.Sleep(time.Hour)
		if got := strings.Join(told, "; "); got != "a.log: 3072 KB read in 1s; a.log: 3072 KB read in 3s; a.log: 3072 KB read in 7s" {
			t.Errorf("told %q", got)
		}
		told = nil
		w = watchReading("b.log", func(s string) { told = append(told, s) })
		time.Sleep(999 * time.Millisecond)
		w.stop()
		watchReading("c.log", nil).stop()
		if len(told) > 0 {
			t.Errorf("told %q", told)
		}
	})
}
