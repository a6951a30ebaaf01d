package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// TestSavedBy: a failure that reached the client names the setting that would have hidden
// it. A hidden failure names none.
func TestSavedBy(t *testing.T) {
	t.Parallel()
	cut := func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
	}
	closes := func(c *wire) { c.request() }
	says503 := func(c *wire) {
		for {
			if r, _ := c.request(); r == nil {
				return
			}
			c.say("HTTP/1.1 503 Service Unavailable\nContent-Length: 0\n\n")
		}
	}
	for name, c := range map[string]struct {
		change func(*setup)
		method string
		key    string
		script func(*wire)
		want   string
	}{
		"answered": {script: func(c *wire) { c.request(); c.say("HTTP/1.1 200 OK\nContent-Length: 0\n\n") }},
		"not safe": {method: "POST", script: closes, want: "retry_safe on the route, if the application may run it twice"},
		"not safe, with a key": {method: "POST", key: "1", script: closes,
			want: "idempotency_key on the route, if the application runs requests with the same Idempotency-Key once"},
		"no attempts":    {script: says503, want: "more retry.attempts, or an upstream that works, or a fallback"},
		"no budget":      {script: says503, change: func(s *setup) { s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 0, 0 }, want: "a larger retry.budget, or a fallback"},
		"nobody":         {change: func(s *setup) { s.upstreams = nil }, want: "another upstream, or a longer hold.for, or a fallback"},
		"wait too short": {change: func(s *setup) { s.pool.Hold = proxy.Hold{For: time.Second, MaxRequests: 1} }, want: "another upstream, or a longer hold.for, or a fallback"},
		"had a fallback": {script: says503, change: func(s *setup) { s.route.Fallback = &proxy.Fallback{Respond: &proxy.Respond{Status: 503}} },
			want: "more retry.attempts, or an upstream that works"},
		"nothing listens": {change: func(s *setup) { s.upstreams = specs("gone:80") }, want: "an upstream that works, or a fallback"},
		"more to try": {change: func(s *setup) { s.upstreams = specs("gone:80", "gone2:80", "gone3:80") },
			want: "more retry.attempts, or an upstream that works, or a fallback"},
		"deadly":          {script: closes, change: func(s *setup) { s.upstreams = specs("app:80", "app2:80") }, want: "a mended application: the request ends connections wherever it goes"},
		"deadline":        {script: waitsForClose, change: func(s *setup) { s.route.Timeout = time.Second }, want: "a longer timeout, or a retry.per_try"},
		"status not wise": {script: says503, change: func(s *setup) { s.pool.Retry.Statuses = nil }, want: "503 in retry.statuses"},
		"body too large":  {method: "PUT", script: closes, change: func(s *setup) { s.pool.Retry.MaxBody = 3 }, want: "retry.max_body >= 4B"},
		"cut":             {script: cut, want: "a larger commit.buffer, if the response comes without pauses, or a strong ETag and Accept-Ranges: bytes"},
		"cut PUT":         {method: "PUT", script: cut, want: "a larger commit.buffer, if the response comes without pauses"},
		"cut, held":       {script: cut, change: func(s *setup) { s.pool.Commit.Buffer = 64 << 10 }, want: "more retry.attempts, or an upstream that works, or a fallback"},
		"cut POST":        {method: "POST", script: cut, want: "retry_safe on the route, if the application may run it twice"},
		"cut stream": {script: func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nContent-Type: text/event-stream\nContent-Length: 10\n\nhalf")
		}},
		"the client's fault": {change: func(s *setup) { s.route.Match.Path = "/other" }},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup{upstreams: specs("app:80")}
			s.pool.Retry = retries(2)
			s.pool.Retry.Statuses = []int{503}
			if c.change != nil {
				c.change(&s)
			}
			bubble(t, s, func(w *world) {
				for _, u := range s.upstreams {
					if c.script != nil {
						w.script(u.Addr, c.script)
					}
				}
				var in io.Reader
				if c.method != "" {
					in = strings.NewReader("body")
				} else {
					c.method = http.MethodGet
				}
				r := w.request(c.method, "/", in)
				if c.key != "" {
					r.Header.Set("Idempotency-Key", c.key)
				}
				w.do(r)
				rec := w.record()
				if rec.SavedBy != c.want {
					t.Errorf("got %q, want %q; %v: %s", rec.SavedBy, c.want, rec.Reason, decisions(rec))
				}
			})
		})
	}
}
