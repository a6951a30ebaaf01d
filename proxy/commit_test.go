package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
)

const committed = 4 << 10 // the buffer's limit in these tests, the smallest size of the pool

// maxPause without a byte marks a stream.
const maxPause = 50 * time.Millisecond

func commitSetup() setup {
	s := setup{upstreams: specs("bad:80", "good:80")}
	s.pool.Retry = retries(3)
	s.pool.Commit.Buffer = committed
	return s
}

// cuts are truncated answers, each with the beginning of the complete answer.
var cuts = map[string]func(c *wire){
	"after the header":       func(c *wire) { c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\n") },
	"in the body":            func(c *wire) { c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf") },
	"before the last byte":   func(c *wire) { c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nninebytes") },
	"before a chunk":         func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n") },
	"in a chunk's size":      func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1") },
	"in a chunk":             func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nA\nhalf") },
	"after a chunk":          func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nhalf\n") },
	"before the chunked end": func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nhalf\n0\n") },
	"in a trailer":           func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nhalf\n0\nX-Sum: ") },
	"reset": func(c *wire) {
		c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
		time.Sleep(maxPause / 2)
		c.Reset()
	},
	"reset until close": func(c *wire) {
		c.say("HTTP/1.1 200 OK\n\nhalf")
		time.Sleep(maxPause / 2)
		c.Reset()
	},
	"malformed chunk": func(c *wire) { c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nnonsense\n\n") },
	"beyond the first buffer": func(c *wire) {
		c.say(fmt.Sprintf("HTTP/1.1 200 OK\nContent-Length: %d\n\n%s", committed, strings.Repeat("x", committed-1)))
	},
}

func TestCutAnswers(t *testing.T) {
	t.Parallel()
	for name, cut := range cuts {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				var asked journal
				why := reason.ResponseTruncated
				if name == "malformed chunk" {
					why = reason.ResponseMalformed
				}
				bubble(t, commitSetup(), func(w *world) {
					w.script("bad:80", func(c *wire) {
						if r, _ := c.request(); r != nil {
							asked.add("bad")
							cut(c)
						}
					})
					w.app("good:80", func(w http.ResponseWriter, _ *http.Request) {
						asked.add("good")
						io.WriteString(w, "whole")
					})
					got := w.send(method, "/", strings.NewReader("request"))
					rec := w.record()
					check(t, "in flight", w.pool.InFlight(), 0)
					check(t, "error", got.err, nil)
					check(t, "first reason", rec.Attempts[0].Reason, why)
					check(t, "first status", rec.Attempts[0].Status, 200)
					if method == "GET" {
						check(t, "answer", fmt.Sprint(got.status, got.body), "200whole")
						check(t, "asked", asked.String(), "bad good")
						check(t, "attempts", decisions(rec), "bad:200:retried good:200:answered")
						check(t, "reason", rec.Reason, reason.None)
						check(t, "upstream", rec.Upstream, "good:80")
						return
					}
					check(t, "status", got.status, 502)
					check(t, "Proxy-Status", strings.Contains(got.header.Get("Proxy-Status"), fmt.Sprintf("details=%q", why)), true)
					check(t, "asked", asked.String(), "bad")
					check(t, "attempts", decisions(rec), "bad:200:not_safe")
					check(t, "reason", rec.Reason, why)
				})
			})
		}
	}
}

// A body of unknown length that ends exactly at the buffer's limit is complete, and one
// that breaks off there is replaced. With one byte more, it is passed on as it arrives.
func TestAnswerAsLargeAsTheBuffer(t *testing.T) {
	t.Parallel()
	answer := func(n int, end string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n%x\n%s\n%s", n, strings.Repeat("x", n), end)
	}
	for name, c := range map[string]struct {
		script   func(c *wire)
		body     int
		err      bool
		attempts string
	}{
		"whole":            {func(c *wire) { c.say(answer(committed, "0\n\n")) }, committed, false, "bad:200:answered"},
		"the end is late":  {func(c *wire) { c.say(answer(committed, "")); time.Sleep(maxPause / 2); c.say("0\n\n") }, committed, false, "bad:200:answered"},
		"the end is later": {func(c *wire) { c.say(answer(committed, "")); time.Sleep(2 * maxPause); c.say("0\n\n") }, committed, false, "bad:200:answered"},
		"cut":              {func(c *wire) { c.say(answer(committed, "")) }, len("whole"), false, "bad:200:retried good:200:answered"},
		"one more":         {func(c *wire) { c.say(answer(committed+1, "0\n\n")) }, committed + 1, false, "bad:200:answered"},
		"one more, cut":    {func(c *wire) { c.say(answer(committed+1, "")) }, committed + 1, true, "bad:200:answered"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, commitSetup(), func(w *world) {
				w.script("bad:80", func(wire *wire) {
					if r, _ := wire.request(); r != nil {
						c.script(wire)
					}
				})
				w.app("good:80", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "whole") })
				got := w.get()
				check(t, "broken off", got.err != nil, c.err)
				check(t, "body", len(got.body), c.body)
				check(t, "attempts", decisions(w.record()), c.attempts)
			})
		})
	}
}

// With retry_safe, a route also retries a POST.
func TestCutAnswerOfASafeRoute(t *testing.T) {
	t.Parallel()
	s := commitSetup()
	s.route.RetrySafe = true
	bubble(t, s, func(w *world) {
		w.script("bad:80", func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
		})
		w.app("good:80", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		got := w.send("POST", "/", strings.NewReader("request"))
		check(t, "answer", fmt.Sprint(got.status, got.body, got.err), "200request<nil>")
	})
}

// A body that stalls for longer than Idle is replaced, also when Idle is shorter than the
// pause that marks a stream.
func TestStalledAnswer(t *testing.T) {
	t.Parallel()
	s := commitSetup()
	s.pool.Timeouts.Idle = maxPause / 2
	bubble(t, s, func(w *world) {
		w.script("bad:80", func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
			waitsForClose(c)
		})
		w.app("good:80", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "whole") })
		check(t, "answer", w.get().body, "whole")
		rec := w.record()
		check(t, "first reason", rec.Attempts[0].Reason, reason.ResponseStalled)
		check(t, "first took", rec.Attempts[0].Took, maxPause/2)
	})
}

// A response that cannot be buffered is still cut off.
func TestCutAnswersThatAreNotHeld(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"sized":   fmt.Sprintf("HTTP/1.1 200 OK\nContent-Length: %d\n\nhalf", committed+1),
		"chunked": fmt.Sprintf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n%x\n%s\n", committed+1, strings.Repeat("x", committed+1)),
		"events":  "HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked\n\n4\nhalf\n",
	} {
		bubble(t, commitSetup(), func(w *world) {
			w.script("bad:80", func(c *wire) {
				c.request()
				c.say(answer)
			})
			got := w.send("POST", "/", nil) // a GET would be sent again by the client
			if got.err == nil {
				t.Errorf("%s: got %d %q, want a cut", name, got.status, got.body)
			}
			rec := w.record()
			check(t, name+" reason", rec.Reason, reason.ResponseTruncated)
			check(t, name+" attempts", decisions(rec), "bad:200:answered")
		})
	}
}

// Streams reach the client at once if they are declared as such, and after a moment if
// their pauses reveal them.
func TestStreamsAreNotHeld(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, contentType, accept string
		length                    string
		first                     int // bytes that come with the header
		after                     time.Duration
	}{
		{name: "events", contentType: "Text/Event-Stream; charset=utf-8", first: 5},
		{name: "events, silent", contentType: "text/event-stream"},
		{name: "gRPC", contentType: "application/grpc+proto", first: 5},
		{name: "gRPC, silent", contentType: "application/grpc"},
		{name: "a stream was requested", accept: "text/event-stream", first: 5},
		{name: "anything was accepted", accept: "text/event-stream, */*", first: 5, after: maxPause},
		{name: "unknown length", contentType: "text/plain", first: 5, after: maxPause},
		{name: "unknown length, silent", after: maxPause},
		{name: "known length", length: "6", first: 5, after: maxPause},
		{name: "larger than the buffer", first: committed + 1},
		{name: "known to be larger than the buffer", length: fmt.Sprint(committed + 1), first: committed},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, commitSetup(), func(w *world) {
				w.app("bad:80", func(w http.ResponseWriter, _ *http.Request) {
					for k, v := range map[string]string{"Content-Type": test.contentType, "Content-Length": test.length} {
						if v != "" {
							w.Header().Set(k, v)
						}
					}
					io.WriteString(w, strings.Repeat("x", test.first))
					http.NewResponseController(w).Flush()
					time.Sleep(time.Minute)
					io.WriteString(w, "y")
				})
				r := w.request("GET", "/", nil)
				if test.accept != "" {
					r.Header.Set("Accept", test.accept)
				}
				began := time.Now()
				res, err := w.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				check(t, "header after", time.Since(began), test.after)
				_, err = io.ReadFull(res.Body, make([]byte, test.first))
				check(t, "first bytes", err, nil)
				check(t, "first bytes after", time.Since(began), test.after)
				check(t, "in flight", w.pool.InFlight(), 1)
				rest, err := io.ReadAll(res.Body)
				check(t, "rest", fmt.Sprint(strings.HasSuffix(string(rest), "y"), err), "true <nil>")
				check(t, "all after", time.Since(began), time.Minute)
			})
		})
	}
}

// A body that trickles is treated like one that pauses.
func TestTricklingAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, commitSetup(), func(w *world) {
		w.app("bad:80", func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				io.WriteString(w, "x")
				http.NewResponseController(w).Flush()
				time.Sleep(maxPause * 3 / 5)
			}
		})
		began := time.Now()
		res, err := w.client.Do(w.request("GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		check(t, "header after", time.Since(began), 200*time.Millisecond)
		b, err := io.ReadAll(res.Body)
		check(t, "body", fmt.Sprint(len(b), err), "100 <nil>")
	})
}

// Complete answers are passed on unchanged.
func TestHeldAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", committed/16)
	for name, test := range map[string]struct{ answer, want string }{
		"sized":        {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "200 5 [] hello map[]"},
		"as the limit": {fmt.Sprintf("HTTP/1.1 200 OK\nContent-Length: %d\n\n%s", committed, long), fmt.Sprintf("200 %d [] %s map[]", committed, long)},
		"chunked":      {"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", "200 -1 [chunked] hello map[]"},
		"trailers": {"HTTP/1.1 200 OK\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n5\nhello\n0\nX-Sum: 1\nX-Late: 2\n\n",
			"200 -1 [chunked] hello map[X-Late:[2] X-Sum:[1]]"},
		"until close": {"HTTP/1.1 200 OK\n\nhello", "200 -1 [chunked] hello map[]"},
		"empty":       {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "200 0 []  map[]"},
		"204":         {"HTTP/1.1 204 No Content\n\n", "204 0 []  map[]"},
		"error":       {"HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno", "404 2 [] no map[]"},
	} {
		bubble(t, commitSetup(), func(w *world) {
			w.script("bad:80", func(c *wire) {
				c.request()
				c.say(test.answer)
			})
			res, err := w.client.Do(w.request("GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			check(t, name+" error", err, nil)
			got := fmt.Sprint(res.StatusCode, res.ContentLength, res.TransferEncoding, " ", string(b), " ", res.Trailer)
			check(t, name, got, test.want)
			check(t, name+" after", w.record().Duration, 0)
		})
	}
	bubble(t, commitSetup(), func(w *world) {
		w.app("bad:80", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1000") })
		got := w.send("HEAD", "/", nil)
		check(t, "HEAD", fmt.Sprint(got.status, got.header.Get("Content-Length"), got.err), "2001000<nil>")
		check(t, "HEAD after", w.record().Duration, 0)
	})
}

// The upstream is free when the answer is complete, however slowly the client reads it.
// The next request can use the connection.
func TestHeldAnswerFreesTheUpstream(t *testing.T) {
	t.Parallel()
	s := commitSetup()
	s.pool.Commit.Buffer = 1 << 20
	s.upstreams[0].MaxInFlight = 1
	bubble(t, s, func(w *world) {
		body := strings.Repeat("x", 1<<20)
		w.app("bad:80", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/large" {
				w.Header().Set("Content-Length", fmt.Sprint(len(body))) // else httputil flushes, and waits for that with a lock
				io.WriteString(w, body)
			}
		})
		c := w.dial()
		c.say("GET /large HTTP/1.1\nHost: example.com\n\n")
		time.Sleep(time.Second)
		check(t, "requests that have ended", len(w.records), 0)
		check(t, "in flight", w.pool.InFlight(), 0)
		check(t, "another", w.get().status, 200)
		rec := w.record()
		check(t, "another's upstream", rec.Upstream, "bad:80")
		check(t, "another's connection is reused", rec.Attempts[0].Reused, true)
		res := c.response(t, nil)
		b, err := io.ReadAll(res.Body)
		check(t, "body", fmt.Sprint(string(b) == body, err), "true <nil>")
	})
}

// When the client leaves, the wait ends, and nothing is retried.
func TestClientLeavesAHeldAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, commitSetup(), func(w *world) {
		w.script("bad:80", func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
			waitsForClose(c)
		})
		ctx, cancel := context.WithTimeout(context.Background(), maxPause/2)
		defer cancel()
		w.do(w.request("GET", "/", nil).WithContext(ctx))
		synctest.Wait()
		rec := w.record()
		check(t, "reason", rec.Reason, reason.ClientGone)
		check(t, "attempts", decisions(rec), "bad:200:clients_fault")
		check(t, "duration", rec.Duration, maxPause/2)
		check(t, "in flight", w.pool.InFlight(), 0)
	})
}

// The request's deadline also applies within a body.
func TestDeadlineInAHeldAnswer(t *testing.T) {
	t.Parallel()
	s := commitSetup()
	s.route.Timeout = maxPause / 2
	bubble(t, s, func(w *world) {
		w.script("bad:80", func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
			waitsForClose(c)
		})
		check(t, "status", w.get().status, 504)
		rec := w.record()
		check(t, "attempts", decisions(rec), "bad:200:out_of_time")
		check(t, "reason", rec.Reason, reason.ResponseTimeout)
	})
}

// Both for buffered and for passed-on answers, the upstream's latency and breaker get
// their report. A lease that ended before its report would prevent that.
func TestAnswersAreReported(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"empty": "", "collected": "whole", "passed on": strings.Repeat("x", 2*committed)} {
		t.Run(name, func(t *testing.T) {
			s := commitSetup()
			s.upstreams = specs("one:80", "two:80")
			s.balancer.Breaker, s.balancer.MaxEjected = balancer.BreakerOptions{Enabled: true, Consecutive: 2}, 0.5
			bubble(t, s, func(w *world) {
				status := 200
				w.app("two:80", func(http.ResponseWriter, *http.Request) {})
				w.app("one:80", func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(20 * time.Millisecond)
					w.WriteHeader(status)
					io.WriteString(w, body)
				})
				w.send("GET", "/", nil)
				if got := w.pool.Members()[0].Latency(); got < 20*time.Millisecond {
					t.Errorf("latency: got %v, want 20ms or more", got)
				}
				status = 503
				w.send("GET", "/", nil)
				w.send("GET", "/", nil)
				check(t, "breaker", w.pool.Members()[0].Breaker(), balancer.Open)
			})
		})
	}
}
