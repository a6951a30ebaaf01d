package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

func TestRetryBudget(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.pool.Retry.Attempts = 2
	s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 0.2, 0
	bubble(t, s, func(w *world) {
		good := false
		w.app("a:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		w.app("b:80", func(w http.ResponseWriter, _ *http.Request) {
			if !good {
				w.WriteHeader(503)
			}
		})
		run := func() string {
			var b strings.Builder
			for range 10 {
				w.get()
				b.WriteByte("01"[len(w.record().Attempts)-1])
			}
			return b.String()
		}
		check(t, "retries that do not help", run(), "0000100001")
		good = true
		check(t, "retries that help", run(), "0000111111") // the first token comes back each time
	})
}

// When retries do not help, the upstreams get at most a fifth more requests than without
// retries, however many attempts a request has.
func TestRetriesOfAnOutage(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 200} {
		s := retrySetup()
		s.upstreams = specs("a:80", "b:80", "c:80")
		s.pool.Retry.Attempts, s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 5, 0.2, 10
		bubble(t, s, func(w *world) {
			var got atomic.Int64
			for _, addr := range []string{"a:80", "b:80", "c:80"} {
				w.app(addr, func(w http.ResponseWriter, _ *http.Request) {
					got.Add(1)
					w.WriteHeader(503)
				})
			}
			var wg sync.WaitGroup
			sent := 30 * rate
			for range sent {
				wg.Go(func() { w.get() })
				time.Sleep(time.Second / time.Duration(rate))
			}
			wg.Wait()
			most := int64(5 * sent) // a quiet pool may try all that it can
			if rate > 50 {
				most = int64(sent + sent/5 + 10) // and what the first second begins with
			}
			if n := got.Load(); n > most || n < int64(sent+sent/10) {
				t.Errorf("%d a second: the upstreams got %d requests for %d, want more than that and at most %d", rate, n, sent, most)
			}
		})
	}
}

// A retry waits for the upstream's Retry-After, if there is no other upstream and the
// time allows it.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, after string
		hold        time.Duration
		want        string
		took        time.Duration
	}{
		{"waits", "2", 10 * time.Second, "a:503:retried a:200:answered", 2 * time.Second},
		{"too long", "20", 10 * time.Second, "a:503:nobody_left", 0},
		{"without a hold", "2", 0, "a:503:nobody_left", 0},
		{"at once", "0", 10 * time.Second, "a:503:retried a:200:answered", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := retrySetup()
			s.upstreams = s.upstreams[:1]
			s.pool.Hold = proxy.Hold{For: tc.hold, MaxRequests: 10}
			bubble(t, s, func(w *world) {
				calls := 0
				w.app("a:80", func(w http.ResponseWriter, _ *http.Request) {
					if calls++; calls == 1 {
						w.Header().Set("Retry-After", tc.after)
						w.WriteHeader(503)
					}
				})
				w.get()
				rec := w.record()
				check(t, "attempts", decisions(rec), tc.want)
				check(t, "took", rec.Duration, tc.took)
				check(t, "held", rec.Held, tc.took)
			})
		})
	}
}

// Pauses double from Backoff to MaxBackoff, with jitter down to half.
func TestRetryBackoff(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.upstreams = s.upstreams[:1]
	s.pool.Retry.Attempts = 7
	bubble(t, s, func(w *world) {
		w.app("a:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		w.get()
		attempts := w.record().Attempts
		for i, most := range []time.Duration{20, 40, 80, 160, 200, 200} {
			most *= time.Millisecond
			if got := attempts[i+1].After - attempts[i].After; got < most/2 || got > most {
				t.Errorf("pause %d: got %s, want %s to %s", i+1, got, most/2, most)
			}
		}
	})
}

// A Retry-After of zero keeps the jitter, so that clients do not come back at the same
// moment.
func TestIgnoredRetryAfter(t *testing.T) {
	t.Parallel()
	for status, after := range map[int]string{http.StatusServiceUnavailable: "soon", http.StatusBadGateway: "1"} {
		s := retrySetup()
		s.upstreams = s.upstreams[:1]
		s.pool.Retry.Attempts, s.pool.Retry.Statuses = 12, []int{status}
		bubble(t, s, func(w *world) {
			w.app("a:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
			})
			w.get()
			attempts, jittered := w.record().Attempts, false
			for i := range len(attempts) - 1 {
				pause := attempts[i+1].After - attempts[i].After
				jittered = jittered || pause%(20*time.Millisecond) != 0
			}
			if len(attempts) != 12 || !jittered {
				t.Errorf("%d with Retry-After %q: %d attempts, jitter %v; want 12 with jitter", status, after, len(attempts), jittered)
			}
		})
	}
}

// Without a configured pause, a single upstream that refuses is not retried in a busy
// loop.
func TestRetryHasAPauseByDefault(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:80")}
	s.pool.Retry = proxy.Retry{Attempts: 3}
	s.pool.Hold = proxy.Hold{For: 10 * time.Second, MaxRequests: 1}
	bubble(t, s, func(w *world) {
		check(t, "status", w.get().status, 503)
		rec := w.record()
		if n := len(rec.Attempts) + rec.Omitted; n > 100 {
			t.Errorf("attempts in 10 s: got %d, want at most 100", n)
		}
	})
}

func TestRetryPerTryIsExact(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.pool.Retry.PerTry = 2 * time.Second
	bubble(t, s, func(w *world) {
		w.script("a:80", waitsForClose)
		w.app("b:80", func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Second) // the limit is for the header
			w.Write([]byte("late"))
		})
		got := w.get()
		check(t, "body", got.body, "late")
		rec := w.record()
		check(t, "first try", rec.Attempts[0].Took, 2*time.Second)
		check(t, "second try began", rec.Attempts[1].After, 2*time.Second)
		check(t, "duration", rec.Duration, 7*time.Second)
	})
}

// The time spent on unreachable upstreams is bounded, also when there are many of them.
func TestRetryOfManyUnreachable(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.upstreams = nil
	for i := range 40 {
		s.upstreams = append(s.upstreams, balancer.Spec{Addr: fmt.Sprintf("10.0.0.%d:80", i)})
	}
	for i := range scenarios {
		if scenarios[i].reason == reason.ConnectTimeout && scenarios[i].name == "" {
			scenarios[i].change(&s)
		}
	}
	s.pool.Retry.PerTry = 0
	s.pool.Hold = proxy.Hold{For: 10 * time.Second, MaxRequests: 1}
	bubble(t, s, func(w *world) {
		check(t, "status", w.get().status, 504)
		rec := w.record()
		check(t, "took", rec.Duration, 11*time.Second) // the hold begins with the first failure
		check(t, "last decision", rec.Attempts[len(rec.Attempts)-1].Decision, reason.OutOfTime)
	})
}
