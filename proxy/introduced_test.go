package proxy_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/reason"
)

const (
	broken  = "HTTP/1.1 500 Internal Server Error\nContent-Length: 3\n\nbug"
	missing = "HTTP/1.1 404 Not Found\nContent-Length: 0\n\n"
)

// introduce makes a:80 a newcomer that should get all requests.
func introduce(w *world) {
	w.pool.Introduce(&balancer.Introduction{Upstreams: []string{"a:80"}, Share: 1})
}

// TestNewcomerFails: a server error of a newly introduced upstream is hidden like any
// other failure, if the request may be sent again. Those of other upstreams reach the
// client.
func TestNewcomerFails(t *testing.T) {
	t.Parallel()
	const hidden = "a:500:retried b:200:answered"
	for name, c := range map[string]struct {
		method string
		a, b   string
		change func(s *setup)
		known  bool // a is no newcomer
		status int
		record string
		by     reason.Means
	}{
		"GET":                   {a: broken, b: fine, status: 200, record: hidden, by: reason.ByRetry},
		"HEAD":                  {method: "HEAD", a: "HTTP/1.1 500 Internal Server Error\n\n", b: "HTTP/1.1 200 OK\n\n", status: 200, record: hidden, by: reason.ByRetry},
		"PUT":                   {method: "PUT", a: broken, b: fine, status: 200, record: hidden, by: reason.ByRetry},
		"501":                   {a: "HTTP/1.1 501 Not Implemented\nContent-Length: 0\n\n", b: fine, status: 200, record: "a:501:retried b:200:answered", by: reason.ByRetry},
		"POST":                  {method: "POST", a: broken, b: fine, status: 500, record: "a:500:not_safe"},
		"POST that is safe":     {method: "POST", change: func(s *setup) { s.route.RetrySafe = true }, a: broken, b: fine, status: 200, record: hidden, by: reason.ByRetry},
		"not found":             {a: missing, b: fine, status: 404, record: "a:404:answered"},
		"both fail":             {a: broken, b: broken, status: 500, record: "a:500:retried b:500:answered"},
		"the others say 404":    {a: broken, b: missing, status: 404, record: "a:500:retried b:404:answered", by: reason.ByRetry},
		"a settled one fails":   {known: true, a: broken, b: fine, status: 500, record: "a:500:answered"},
		"nothing is sent twice": {change: func(s *setup) { s.pool.Retry.Attempts = 1 }, a: broken, b: fine, status: 500, record: "a:500:no_attempts_left"},
		"no other upstream":     {change: func(s *setup) { s.upstreams = specs("a:80"); s.pool.Retry.Attempts = 2 }, a: broken, status: 500, record: "a:500:answered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := retrySetup()
			s.pool.Retry.Statuses = []int{503}
			if c.change != nil {
				c.change(&s)
			}
			bubble(t, s, func(w *world) {
				w.script("a:80", after(0, c.a))
				if c.b != "" {
					w.script("b:80", after(0, c.b))
				}
				if !c.known {
					introduce(w)
				}
				method, body := "GET", io.Reader(nil)
				if c.method != "" {
					method = c.method
				}
				if method == "PUT" || method == "POST" {
					body = strings.NewReader("body")
				}
				got := w.do(w.request(method, "/", body))
				check(t, "status", got.status, c.status)
				rec := w.record()
				check(t, "record", decisions(rec), c.record)
				check(t, "absorbed", rec.Absorbed, c.by)
				if c.by == reason.ByRetry {
					check(t, "hidden", rec.Hidden, reason.UpstreamStatus)
				}
				check(t, "in flight", w.pool.InFlight(), 0)
			})
		})
	}
}

// TestNewcomerIsSlow: with hedging on evidence, one late request of a newcomer is
// evidence enough.
func TestNewcomerIsSlow(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"newcomer": false, "settled": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hedgeSetup()
			s.pool.Retry.Hedge.OnEvidence = true
			bubble(t, s, func(w *world) {
				w.script("a:80", after(200, fine))
				w.script("b:80", after(3, fine))
				want := "a:none:lost_race b:200:answered"
				if known {
					want = "a:200:answered"
				} else {
					introduce(w)
				}
				began := time.Now()
				got := w.get()
				check(t, "status", got.status, 200)
				check(t, "record", decisions(w.record()), want)
				check(t, "quick", time.Since(began) < 100*time.Millisecond, !known)
			})
		})
	}
}
