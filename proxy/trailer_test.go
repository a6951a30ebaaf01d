package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// summed is a body whose trailer is known only at its end.
type summed struct {
	io.Reader
	end func()
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		s.end()
	}
	return n, err
}

// withTrailer returns a request with an announced trailer. One announced field stays
// empty.
func withTrailer(w *world, method string, size int, sized bool) *http.Request {
	r := w.request(method, "/", nil)
	r.Trailer = http.Header{"X-Sum": nil, "X-Empty": nil, "X-Forwarded-For": nil, "X-Set": nil, "X-Removed": nil}
	r.Body = io.NopCloser(&summed{strings.NewReader(strings.Repeat("x", size)), func() {
		r.Trailer.Set("X-Sum", fmt.Sprint(size))
		for _, name := range []string{"X-Forwarded-For", "X-Set", "X-Removed"} {
			r.Trailer.Set(name, "evil")
		}
	}})
	r.ContentLength = -1
	if sized {
		r.ContentLength = int64(size)
	}
	return r
}

// ownFields are fields that a client may not set.
var ownFields = proxy.HeaderEdits{Set: map[string]string{"X-Set": "ours"}, Remove: []string{"x-removed"}}

// tellTrailer answers with the trailer of the request.
func tellTrailer(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, n, err, " ", r.Trailer.Get("X-Sum"), len(r.Trailer["X-Empty"]), r.Trailer.Get("X-Forwarded-For"), r.Trailer.Get("X-Set"), r.Trailer.Get("X-Removed"))
}

// TestRequestTrailer: the trailer of a request reaches the upstream over both versions of
// HTTP, for a kept and for a streamed body.
func TestRequestTrailer(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, out := range []proxy.Protocol{proxy.HTTP1, proxy.HTTP2} {
			for _, size := range []int{1, 1000, 300 << 10} {
				for _, sized := range []bool{false, true} {
					if sized && in == "HTTP/1.1" {
						continue // there only a chunked body has a trailer
					}
					name := fmt.Sprint(in, " to ", out, ", ", size, " bytes, length known: ", sized)
					s := setup{pool: proxy.PoolOptions{Protocol: out}, upstreams: specs("app:80")}
					s.pool.Retry.MaxBody = 64 << 10
					s.route.RequestHeaders = ownFields
					if in == "HTTP/2" {
						s = http2Setup(s)
					}
					bubble(t, s, func(w *world) {
						if in == "HTTP/2" {
							w.useHTTP2()
						}
						if out == proxy.HTTP2 {
							w.h2app("app:80", tellTrailer)
						} else {
							w.app("app:80", tellTrailer)
						}
						got := w.do(withTrailer(w, "POST", size, sized))
						check(t, name, got.body, fmt.Sprintf("%d <nil> %d0", size, size))
					})
				}
			}
		}
	}
}

// TestRequestTrailerAgain: a retried request has its trailer again, also while the
// earlier attempt may still read.
func TestRequestTrailerAgain(t *testing.T) {
	t.Parallel()
	for _, out := range []proxy.Protocol{proxy.HTTP1, proxy.HTTP2} {
		s := setup{pool: proxy.PoolOptions{Protocol: out, Retry: retries(3)}, upstreams: specs("bad:80", "good:80")}
		s.pool.Retry.MaxBody = 64 << 10
		s.pool.Retry.PerTry = time.Second
		s.route.RequestHeaders = ownFields
		bubble(t, s, func(w *world) {
			app := w.app
			if out == proxy.HTTP2 {
				app = w.h2app
			}
			app("bad:80", func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
			app("good:80", tellTrailer)
			got := w.do(withTrailer(w, "PUT", 5000, false))
			check(t, "answer", got.body, "5000 <nil> 50000")
			check(t, "tries", len(w.record().Attempts), 2)
		})
	}
}

// TestResponseTrailerEdits: fields that a route removes do not reach clients in the
// trailer either, for complete and streamed responses, over both protocols.
func TestResponseTrailerEdits(t *testing.T) {
	t.Parallel()
	for _, out := range []proxy.Protocol{proxy.HTTP1, proxy.HTTP2} {
		for _, buffer := range []int64{0, 64 << 10} {
			s := setup{pool: proxy.PoolOptions{Protocol: out, Commit: proxy.Commit{Buffer: buffer}}, upstreams: specs("app:80")}
			s.route.ResponseHeaders = ownFields
			bubble(t, s, func(w *world) {
				app := func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Trailer", "X-Removed, X-Set, X-Kept, Goodgate-Drain")
					fmt.Fprint(w, "body")
					w.(http.Flusher).Flush()
					for _, name := range []string{"X-Removed", "X-Set", "X-Kept", "Goodgate-Drain", http.TrailerPrefix + "X-Removed", http.TrailerPrefix + "X-Late"} {
						w.Header().Set(name, "1")
					}
				}
				if out == proxy.HTTP2 {
					w.h2app("app:80", app)
				} else {
					w.app("app:80", app)
				}
				res, err := w.client.Do(w.request("GET", "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				got := fmt.Sprint(string(body), " ", res.Header["X-Set"], res.Header["X-Removed"], res.Trailer)
				check(t, fmt.Sprint(out, " ", buffer), got, "body [ours] [] map[X-Kept:[1] X-Late:[1]]")
			})
		}
	}
}

// goodgate's own header fields are not repeated in the trailer, in place of an upstream's
// field of the same name.
func TestTrailerOfTheSameName(t *testing.T) {
	t.Parallel()
	s := limited(&proxy.Limits{Rates: []*proxy.Rate{proxy.NewRate(proxy.Rate{Name: "r", PerSecond: 1, Burst: 100})}})
	bubble(t, s, func(w *world) {
		w.script("app:80", func(c *wire) {
			c.header()
			c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: Ratelimit\n\n2\nok\n0\nRatelimit: up\n\n")
		})
		c := w.dial()
		c.say("GET / HTTP/1.1\nHost: a\nTE: trailers\n\n")
		res := c.response(t, nil)
		io.Copy(io.Discard, res.Body)
		check(t, "header", res.Header.Get("Ratelimit"), `"r";r=99;t=1`)
		check(t, "trailer", fmt.Sprint(res.Trailer["Ratelimit"]), "[up]")
	})
}
