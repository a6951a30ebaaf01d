package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// grpcSetup is a front and upstreams that speak HTTP/2.
func grpcSetup(addrs ...string) setup {
	return http2Setup(setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs(addrs...)})
}

// call makes a gRPC call with more headers. It returns the answer as a gRPC client sees
// it: the status of the header, else of the trailer.
func (w *world) call(headers ...string) (string, answer) {
	r := w.request("POST", "/pkg.Service/Method", strings.NewReader("\x00\x00\x00\x00\x00"))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/grpc+proto")
	r.Header.Set("Te", "trailers")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a := w.do(r)
	status := a.header.Get("Grpc-Status")
	if status == "" {
		status = a.trailer.Get("Grpc-Status")
	}
	return fmt.Sprint(a.status, " ", a.header.Get("Content-Type"), " ", status), a
}

// A failure has the form of a server's answer without a message.
func TestGRPCFailures(t *testing.T) {
	t.Parallel()
	f := func(name, want string, change func(s *setup), bad func(w *world)) {
		t.Run(name, func(t *testing.T) {
			s := grpcSetup("app:80")
			if change != nil {
				change(&s)
			}
			bubble(t, s, func(w *world) {
				w.useHTTP2()
				if bad != nil {
					bad(w)
				}
				got, a := w.call()
				check(t, "answer", got, want)
				check(t, "message", strings.Contains(a.header.Get("Grpc-Message"), w.record().Reason.String()), true)
			})
		})
	}
	reset := func(w *world) {
		w.frames("app:80", func(c *framed) { c.WriteRSTStream(c.request(), http2.ErrCodeInternal) })
	}
	silent := func(w *world) { w.frames("app:80", (*framed).wait) }
	f("refused", "200 application/grpc 14", nil, nil)
	f("reset", "200 application/grpc 14", nil, reset)
	f("silent", "200 application/grpc 14", func(s *setup) { s.pool.Timeouts.ResponseHeader = time.Second }, silent)
	f("deadline of the route", "200 application/grpc 4", func(s *setup) { s.route.Timeout = time.Second }, silent)
	f("no route", "200 application/grpc 12", func(s *setup) { s.route.Match.Path = "/other" }, nil)
}

func TestGRPCTimeout(t *testing.T) {
	t.Parallel()
	const never = time.Hour
	f := func(timeout string, want time.Duration) {
		t.Helper()
		if want != never {
			want += 100 * time.Millisecond // for the client to end the call itself
		}
		bubble(t, grpcSetup("app:80"), func(w *world) {
			w.useHTTP2()
			w.h2app("app:80", func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				select {
				case <-r.Context().Done():
				case <-time.After(never):
				}
			})
			began := time.Now()
			w.call("Grpc-Timeout", timeout)
			check(t, timeout, time.Since(began), want)
		})
	}
	f("250m", 250*time.Millisecond)
	f("2S", 2*time.Second)
	f("3M", 3*time.Minute)
	f("1000000u", time.Second)
	f("5000000n", 5*time.Millisecond)
	for _, bad := range []string{"", "S", "5", "5x", "-1S", "123456789S", "99999999H"} {
		f(bad, never)
	}
}

// A later attempt gets the rest of the time that an earlier one has left.
func TestGRPCTimeoutOfLaterTries(t *testing.T) {
	t.Parallel()
	s := grpcSetup("bad:80", "good:80")
	bubble(t, s, func(w *world) {
		w.useHTTP2()
		var told []string
		w.frames("bad:80", func(c *framed) {
			stream := c.request()
			time.Sleep(2 * time.Second)
			c.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			stream = c.request()
			c.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			c.wait()
		})
		w.h2app("good:80", func(w http.ResponseWriter, r *http.Request) {
			told = append(told, r.Header.Get("Grpc-Timeout"))
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "0")
		})
		got, _ := w.call("Grpc-Timeout", "5S")
		check(t, "answer", got, "200 application/grpc 0")
		check(t, "told", fmt.Sprint(told), "[3000000u]")
	})
}

// UNAVAILABLE before the first message counts as a 503: it is retried if the route says
// that this is safe, and counts against the upstream.
func TestGRPCUnavailable(t *testing.T) {
	t.Parallel()
	says := func(status string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", status)
		}
	}
	f := func(safe bool, status, want string) {
		t.Helper()
		s := grpcSetup("bad:80", "good:80")
		s.route.RetrySafe = safe
		s.pool.Retry.Statuses = []int{503}
		bubble(t, s, func(w *world) {
			w.useHTTP2()
			w.h2app("bad:80", says(status))
			w.h2app("good:80", says("0"))
			_, a := w.call()
			rec := w.record()
			check(t, "what happened", fmt.Sprint(a.header.Get("Grpc-Status"), " ", rec.Reason, " ", decisions(rec)), want)
		})
	}
	f(true, "14", "0 none bad:200:retried good:200:answered")
	f(false, "14", "14 upstream_status bad:200:not_safe")
	f(true, "5", "5 none bad:200:answered")
}

func TestGRPCUnavailableCounts(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		s := grpcSetup("app:80", "other:80")
		s.balancer.MaxEjected = 1
		s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1}
		bubble(t, s, func(w *world) {
			w.useHTTP2()
			w.h2app("app:80", func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/grpc")
				key := "Grpc-Status"
				if late {
					w.Write([]byte("\x00\x00\x00\x00\x00"))
					key = http.TrailerPrefix + key
				}
				w.Header().Set(key, "14")
			})
			got, _ := w.call()
			check(t, "answer", got, "200 application/grpc 14")
			check(t, "reason", w.record().Reason, reason.UpstreamStatus)
			check(t, "breaker", w.pool.Members()[0].Breaker(), balancer.Open)
		})
	}
}

// A call whose time ends between its messages gets the right status, whichever side
// ends it, and counts for no upstream.
func TestGRPCTimeoutBetweenMessages(t *testing.T) {
	t.Parallel()
	f := func(name string, timeout string, route time.Duration, want string, end func(c *framed, stream uint32)) {
		t.Run(name, func(t *testing.T) {
			s := grpcSetup("app:80", "other:80")
			s.route.Timeout = route
			s.balancer.MaxEjected = 1
			s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1}
			bubble(t, s, func(w *world) {
				w.useHTTP2()
				w.frames("app:80", func(c *framed) {
					stream := c.request()
					c.header(stream, false, ":status", "200", "content-type", "application/grpc")
					c.WriteData(stream, false, []byte("\x00\x00\x00\x00\x00"))
					end(c, stream)
				})
				var headers []string
				if timeout != "" {
					headers = []string{"Grpc-Timeout", timeout}
				}
				got, a := w.call(headers...)
				check(t, "answer", got, want)
				check(t, "message", a.body, "\x00\x00\x00\x00\x00")
				check(t, "error", a.err, nil)
				check(t, "reason", w.record().Reason, reason.ResponseTimeout)
				check(t, "breaker", w.pool.Members()[0].Breaker(), balancer.Closed)
			})
		})
	}
	resets := func(c *framed, stream uint32) {
		time.Sleep(2 * time.Second)
		c.WriteRSTStream(stream, http2.ErrCodeCancel)
		c.wait()
	}
	closes := func(*framed, uint32) { time.Sleep(2 * time.Second) }
	silent := func(c *framed, _ uint32) { c.wait() }
	f("the upstream resets", "2S", 0, "200 application/grpc 4", resets)
	f("the upstream closes", "2S", 0, "200 application/grpc 4", closes)
	f("goodgate's grace", "2S", 0, "200 application/grpc 4", silent)
	f("the route's time", "", 2*time.Second, "200 application/grpc 4", silent)
}
