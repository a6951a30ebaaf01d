package nginxlog_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// A series keeps every count in the right bucket, for any order and any time span, with
// a bounded number of buckets.
func TestSeries(t *testing.T) {
	base := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	for _, span := range []time.Duration{0, time.Second, 127 * time.Second, 128 * time.Second, time.Hour, 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		var f nginxlog.Failures
		var all []time.Time
		for range 1000 {
			at := base.Add(time.Duration(r.Int64N(int64(span) + 1)))
			all = append(all, at)
			f.Add(at, 0)
		}
		s := f.Series
		if len(s.Count) > 128 {
			t.Errorf("span %s: %d buckets", span, len(s.Count))
		}
		want := make([]uint32, len(s.Count))
		for _, at := range all {
			want[at.Sub(s.Start)/s.Width]++
		}
		for i := range want {
			if s.Count[i] != want[i] {
				t.Errorf("span %s: bucket %d of %s from %s has %d, want %d", span, i, s.Width, s.Start, s.Count[i], want[i])
			}
		}
		if span < 128*time.Second && s.Width > 2*time.Second {
			t.Errorf("span %s: buckets of %s", span, s.Width)
		}
	}
}
