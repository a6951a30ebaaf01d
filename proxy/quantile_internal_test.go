package proxy

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	for i := range quantileBuckets {
		end := bucketEnd(i)
		if got := bucketOf(end - 1); got != i {
			t.Errorf("bucket of %v: got %d, want %d", end-1, got, i)
		}
		if got := bucketOf(end); got != min(i+1, quantileBuckets-1) {
			t.Errorf("bucket of %v: got %d, want the next after %d", end, got, i)
		}
	}
	for _, d := range []time.Duration{-1, 0, time.Minute, 1<<63 - 1} {
		if i := bucketOf(d); i < 0 || i >= quantileBuckets {
			t.Errorf("bucket of %v: got %d", d, i)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	q := quantile{share: 0.95}
	within := func(what string, want time.Duration) {
		t.Helper()
		if got := q.get(); float64(got) < 0.95*float64(want) || float64(got) > 1.2*float64(want) {
			t.Errorf("%s: got %v, want about %v and no less", what, got, want)
		}
	}
	for range quantileMin - 1 {
		q.add(time.Second)
	}
	if got := q.get(); got != 0 {
		t.Errorf("too few samples: got %v, want 0", got)
	}
	q.add(time.Second)
	within("alike", time.Second)
	for range 4 * quantileMemory {
		q.add(time.Duration(rnd.Int64N(int64(100 * time.Millisecond))))
	}
	within("faster", 95*time.Millisecond)
	for range 2 * quantileMemory {
		q.add(time.Duration(rnd.Int64N(int64(3 * time.Second))))
	}
	within("slower", 2850*time.Millisecond)
}

func TestQuantileIsSafe(t *testing.T) {
	t.Parallel()
	q := quantile{share: 0.5}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 * quantileMemory {
				q.add(time.Millisecond)
			}
		})
	}
	wg.Wait()
	if got := q.get(); got < time.Millisecond || got > 9*time.Millisecond/8 {
		t.Errorf("got %v, want 1ms and an eighth at most", got)
	}
}

func BenchmarkQuantile(b *testing.B) {
	q := quantile{share: 0.95}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.add(time.Duration(i%1000) * time.Microsecond)
	}
}
