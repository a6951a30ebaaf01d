package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// failures are the ways in which the upstream a fails after it has read a request, so
// that it may have executed it.
var failures = map[string]func(c *wire){
	"closes":    func(c *wire) {},
	"resets":    func(c *wire) { c.Reset() },
	"is silent": waitsForClose,
	"says 502":  func(c *wire) { c.say("HTTP/1.1 502 Bad Gateway\nContent-Length: 0\n\n") },
	"says junk": func(c *wire) { c.say("junk\n\n"); waitsForClose(c) },
}

// failingThenGood makes upstream a, which reads a request and then fails, and upstream b,
// which answers. Both record the requests that they have executed.
func failingThenGood(w *world, j *journal, fail func(c *wire)) {
	w.script("a:80", func(c *wire) {
		if r, body := c.request(); r != nil {
			j.add("a:%s%s", r.Method, body)
			fail(c)
		}
	})
	w.app("b:80", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		j.add("b:%s%s", r.Method, body)
	})
}

func retrySetup() setup {
	s := setup{upstreams: specs("a:80", "b:80")}
	s.pool.Retry = retries(3)
	s.pool.Retry.PerTry = time.Second
	s.pool.Retry.Statuses = []int{502, 503, 504}
	return s
}

// The promise: a request with a method that is not idempotent is never executed twice,
// unless the route's owner allows it.
func TestRetryAfterExecution(t *testing.T) {
	t.Parallel()
	for name, fail := range failures {
		failed := map[string]int{"closes": 502, "resets": 502, "is silent": 504, "says 502": 502, "says junk": 502}[name]
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH", "LOCK"} {
			for _, safe := range []bool{false, true} {
				for _, key := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %s safe=%t key=%t", name, method, safe, key), func(t *testing.T) {
						s := retrySetup()
						s.route.RetrySafe = safe
						bubble(t, s, func(w *world) {
							var j journal
							failingThenGood(w, &j, fail)
							r := w.request(method, "/", nil)
							if method != "GET" && method != "HEAD" && method != "OPTIONS" {
								r = w.request(method, "/", strings.NewReader("-x"))
							}
							if key {
								r.Header.Set("Idempotency-Key", "1")
							}
							got := w.do(r)
							if got.err != nil {
								t.Fatal(got.err)
							}
							body := ""
							if r.Body != nil {
								body = "-x"
							}
							if safe || slices.Contains([]string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}, method) {
								check(t, "status", got.status, 200)
								check(t, "executions", j.String(), "a:"+method+body+" b:"+method+body)
								return
							}
							check(t, "status", got.status, failed)
							check(t, "executions", j.String(), "a:"+method+body)
							check(t, "decision", w.record().Attempts[0].Decision, reason.NotSafe)
						})
					})
				}
			}
		}
	}
}

// A route with idempotency_key retries requests that have an Idempotency-Key, and no
// others.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	for name, fail := range failures {
		for _, key := range []string{"", "8e03978e"} {
			t.Run(name+" key="+key, func(t *testing.T) {
				s := retrySetup()
				s.route.IdempotencyKey = true
				bubble(t, s, func(w *world) {
					var j journal
					failingThenGood(w, &j, fail)
					r := w.request("POST", "/", strings.NewReader("-x"))
					want := "a:POST-x"
					if key != "" {
						r.Header.Set("Idempotency-Key", key)
						want += " b:POST-x"
					}
					got := w.do(r)
					check(t, "executions", j.String(), want)
					check(t, "answered", got.status == 200, key != "")
				})
			})
		}
	}
}

// On a reused connection, http.Transport itself repeats requests that it considers
// replayable: those with an Idempotency-Key. Without idempotency_key that must not
// happen.
func TestRetryOnAReusedConnection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		method, body string
		safe         bool
		want         string // executions
	}{
		{"GET", "", false, "a:GET a:GET b:GET"},
		{"PUT", "-x", false, "a:GET a:PUT-x b:PUT-x"},
		{"DELETE", "", false, "a:GET a:DELETE b:DELETE"},
		{"POST", "-x", false, "a:GET a:POST-x"},
		{"POST", "", false, "a:GET a:POST"},
		{"PATCH", "", false, "a:GET a:PATCH"},
		{"POST", "-x", true, "a:GET a:POST-x b:POST-x"},
		{"POST", "", true, "a:GET a:POST b:POST"},
	} {
		for _, key := range []string{"", "Idempotency-Key", "X-Idempotency-Key"} {
			t.Run(fmt.Sprintf("%s%s safe=%t %s", tc.method, tc.body, tc.safe, key), func(t *testing.T) {
				s := retrySetup()
				s.route.RetrySafe = tc.safe
				s.balancer.MaxEjected = 1
				s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1}
				bubble(t, s, func(w *world) {
					var j journal
					w.script("a:80", func(c *wire) {
						for n := 1; ; n++ {
							r, body := c.request()
							if r == nil {
								return
							}
							j.add("a:%s%s", r.Method, body)
							if n == 2 || c.n > 1 {
								return
							}
							c.say("HTTP/1.1 200 OK\nContent-Length: 0\n\n")
						}
					})
					w.app("b:80", func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						j.add("b:%s%s", r.Method, body)
					})
					w.get()
					synctest.Wait()
					var body io.Reader
					if tc.body != "" {
						body = strings.NewReader(tc.body)
					}
					r := w.request(tc.method, "/", body)
					if key != "" {
						r.Header.Set(key, "1")
					}
					w.do(r)
					want := tc.want
					got := strings.ReplaceAll(j.String(), " a:"+tc.method+tc.body+" a:"+tc.method+tc.body, " a:"+tc.method+tc.body)
					if strings.HasSuffix(want, "b:GET") { // http.Transport tried a again first
						want = "a:GET a:GET b:GET"
						got = strings.ReplaceAll(j.String(), "a:GET a:GET a:GET", "a:GET a:GET")
					}
					check(t, "executions", got, want)
					if !strings.Contains(want, "b:") {
						check(t, "breaker", w.pool.Members()[0].Breaker(), balancer.Closed)
					}
				})
			})
		}
	}
}

// A request without a body reaches the application as it was sent: many applications
// reject a chunked POST.
func TestRequestStaysWithoutBody(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PATCH", "PUT", "DELETE", "GET"} {
		for _, key := range []string{"", "Idempotency-Key"} {
			s := retrySetup()
			w := start(t, s)
			var header http.Header
			var coding []string
			w.app("a:80", func(_ http.ResponseWriter, r *http.Request) { header, coding = r.Header, r.TransferEncoding })
			r := w.request(method, "/", nil)
			if key != "" {
				r.Header.Set(key, "1")
			}
			w.do(r)
			if coding != nil {
				t.Errorf("%s with %q: got transfer coding %q, want none", method, key, coding)
			}
			want := ""
			if method[0] == 'P' {
				want = "0"
			}
			check(t, method+" content length", header.Get("Content-Length"), want)
			if key != "" {
				check(t, key, header.Get(key), "1")
			}
		}
	}
}

func TestRetryOfUnsentRequests(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST", "PATCH"} {
		t.Run(method, func(t *testing.T) {
			s := retrySetup()
			s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 0, 0 // it costs nothing
			bubble(t, s, func(w *world) {
				var j journal
				w.app("b:80", func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					j.add("b:%s%s", r.Method, body)
				})
				got := w.send(method, "/", strings.NewReader("-x"))
				check(t, "status", got.status, 200)
				check(t, "executions", j.String(), "b:"+method+"-x")
				check(t, "attempts", decisions(w.record()), "a:connect_refused:retried b:200:answered")
			})
		})
	}
}

// TestRetryDecisions covers every [proxy.Decision].
func TestRetryDecisions(t *testing.T) {
	t.Parallel()
	status := func(n int) func(w *world) {
		return func(w *world) {
			for _, m := range w.pool.Members() {
				w.app(m.Addr(), func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					w.Header().Set("X-From", m.Addr())
					w.WriteHeader(n)
				})
			}
		}
	}
	silent := func(w *world) {
		for _, m := range w.pool.Members() {
			w.script(m.Addr(), waitsForClose)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*setup)
		apps   func(w *world)
		ask    func(w *world) answer
		want   string
		status int
	}{
		{name: "answered", apps: status(200), want: "a:200:answered", status: 200},
		{name: "a client's error is an answer", apps: status(404), want: "a:404:answered", status: 404},
		{name: "an application's error is an answer", apps: status(500), want: "a:500:answered", status: 500},
		{name: "the last real answer is relayed", apps: status(503), want: "a:503:retried b:503:no_attempts_left", status: 503,
			change: func(s *setup) { s.pool.Retry.Attempts = 2 }},
		{name: "other upstreams first, then a new round", apps: status(502), want: "a:502:retried b:502:retried a:502:no_attempts_left", status: 502},
		{name: "one try", apps: status(503), want: "a:503:no_attempts_left", status: 503, change: func(s *setup) { s.pool.Retry.Attempts = 1 }},
		{name: "nothing configured", apps: silent, want: "a:response_timeout:no_attempts_left", status: 504,
			change: func(s *setup) { s.pool.Retry = proxy.Retry{PerTry: time.Second} }},
		{name: "budget", apps: status(503), want: "a:503:budget_spent", status: 503, change: func(s *setup) { s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 0.2, 0 }},
		{name: "an answer outranks a failure", apps: func(w *world) { w.app("a:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }) },
			want: "a:503:retried b:connect_refused:no_attempts_left", status: 503, change: func(s *setup) { s.pool.Retry.Attempts = 2 }},
		{name: "body too large", apps: status(503), want: "a:503:body_gone", status: 503,
			change: func(s *setup) { s.pool.Retry.MaxBody = 4 }, ask: put("12345")},
		{name: "body just fits", apps: status(503), want: "a:503:retried b:503:no_attempts_left", status: 503,
			change: func(s *setup) { s.pool.Retry.MaxBody, s.pool.Retry.Attempts = 5, 2 }, ask: put("12345")},
		{name: "chunked body too large", apps: status(503), want: "a:503:body_gone", status: 503,
			change: func(s *setup) { s.pool.Retry.MaxBody = 4 }, ask: putChunked("12345")},
		{name: "chunked body fits", apps: status(503), want: "a:503:retried b:503:no_attempts_left", status: 503,
			change: func(s *setup) { s.pool.Retry.MaxBody, s.pool.Retry.Attempts = 5, 2 }, ask: putChunked("12345")},
		{name: "deadline", apps: silent, want: "a:response_timeout:retried b:response_timeout:out_of_time", status: 504,
			change: func(s *setup) { s.pool.Timeouts.Request = 1500 * time.Millisecond }},
		{name: "client left", apps: silent, want: "a:client_gone:clients_fault", change: func(s *setup) { s.pool.Retry.PerTry = time.Minute }, ask: leaves},
		{name: "no upstream left", apps: status(503), want: "a:503:nobody_left", status: 503, change: func(s *setup) {
			s.upstreams = s.upstreams[:1]
			s.balancer.Notify = nil
		}, ask: func(w *world) answer {
			go func() {
				time.Sleep(time.Millisecond)
				w.pool.Members()[0].SetOperator(balancer.Drain)
			}()
			return w.get()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := retrySetup()
			if tc.change != nil {
				tc.change(&s)
			}
			bubble(t, s, func(w *world) {
				tc.apps(w)
				ask := tc.ask
				if ask == nil {
					ask = (*world).get
				}
				got := ask(w)
				check(t, "status", got.status, tc.status)
				rec := w.record()
				check(t, "attempts", decisions(rec), tc.want)
				if from := got.header.Get("X-From"); from != "" {
					check(t, "upstream in the record", rec.Upstream, from)
				}
			})
		})
	}
}

func put(body string) func(w *world) answer {
	return func(w *world) answer { return w.send("PUT", "/", strings.NewReader(body)) }
}

func putChunked(body string) func(w *world) answer {
	return func(w *world) answer { return w.send("PUT", "/", io.MultiReader(strings.NewReader(body))) }
}

// TestOverloadIsNotRetried: when requests time out on every upstream, retries stop. They
// start again when an upstream answers.
func TestOverloadIsNotRetried(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.pool.Retry.PerTry = time.Second
	s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 1, 1000
	var slow atomic.Bool
	bubble(t, s, func(w *world) {
		for _, m := range w.pool.Members() {
			w.app(m.Addr(), func(w http.ResponseWriter, r *http.Request) {
				if slow.Load() {
					time.Sleep(2 * time.Second)
				}
			})
		}
		slow.Store(true)
		for range 20 {
			check(t, "status", w.get().status, 504)
		}
		check(t, "attempts", decisions(w.record()), "a:response_timeout:strained")
		slow.Store(false)
		for range 40 {
			check(t, "status", w.get().status, 200)
		}
		slow.Store(true)
		check(t, "status", w.get().status, 504)
		check(t, "attempts", len(w.record().Attempts), 3)
	})
}

// If no retry gets a better answer, the record names the upstream that gave the answer,
// and not the one that failed later.
func TestRecordNamesAnsweringUpstream(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.pool.Retry.Attempts = 2
	s.proxy.Details = true
	bubble(t, s, func(w *world) {
		w.app("a:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		got := w.get()
		check(t, "upstream", w.record().Upstream, "a:80")
		check(t, "Proxy-Status", got.header.Get("Proxy-Status"), `goodgate; received-status=503; next-hop="a:80"; details="upstream_status"`)
	})
}

// The setting Failures decides which retried statuses count for the breaker: an upstream
// that always answers 500 is ejected if Failures has 500, and one that answers 503 is not
// ejected if Failures lacks 503.
func TestStatusesThatCountAsFailures(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		failures []int
		status   int
		want     balancer.BreakerState
	}{
		{nil, 500, balancer.Closed},
		{nil, 503, balancer.Open},
		{[]int{500, 502}, 500, balancer.Open},
		{[]int{500, 502}, 503, balancer.Closed},
		{[]int{}, 503, balancer.Closed},
	} {
		s := setup{upstreams: specs("bad:80", "good:80")}
		s.pool.Retry = retries(2)
		s.pool.Retry.Statuses = []int{500, 503}
		s.pool.Failures = tc.failures
		s.balancer.MaxEjected = 0.5
		s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 3, OpenFor: time.Hour}
		bubble(t, s, func(w *world) {
			w.app("bad:80", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(tc.status) })
			w.app("good:80", ok)
			for range 5 {
				check(t, "status", w.get().status, 200)
			}
			check(t, fmt.Sprint(tc.failures, " with ", tc.status), w.pool.Members()[0].Breaker(), tc.want)
		})
	}
}
