package proxy_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// compressed runs f for each relay, and for clients that use HTTP/2, on a route that
// compresses everything.
func compressed(t *testing.T, f func(t *testing.T, w *world)) {
	for _, by := range []string{"inbound", "inbound-httputil", "HTTP/2"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := setup{front: by, upstreams: specs("app:80"), route: proxy.Route{Compress: &proxy.Compress{Encodings: []*proxy.Encoding{proxy.Gzip()}, Types: []string{"*"}}}}
			if by == "HTTP/2" {
				s = http2Setup(s)
			}
			bubble(t, s, func(w *world) {
				if by == "HTTP/2" {
					w.useHTTP2()
				}
				f(w.tb.(*testing.T), w)
			})
		})
	}
}

// wanting returns a request that accepts gzip.
func (w *world) wanting(method, path string) *http.Request {
	r := w.request(method, path, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	return r
}

// answers serves app:80 with the answers of one table: the text of a path is what the
// upstream sends.
func (w *world) answers(table map[string]string) {
	w.script("app:80", func(c *wire) {
		for {
			r, _ := c.request()
			if r == nil {
				return
			}
			c.say(table[r.URL.Path])
		}
	})
}

// Early hints come first and uncompressed, and a trailer comes after a compressed body.
func TestCompressWithHintsAndTrailer(t *testing.T) {
	t.Parallel()
	compressed(t, func(t *testing.T, w *world) {
		w.answers(map[string]string{"/": "HTTP/1.1 103 Early Hints\nLink: </style.css>; rel=preload\nContent-Type: text/css\n\n" +
			"HTTP/1.1 200 OK\nContent-Type: text/html\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n5\nhello\n6\n world\n0\nX-Sum: 11\n\n"})
		hints := ""
		r := w.wanting("GET", "/")
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints += fmt.Sprint(code, h["Link"], h["Content-Encoding"], h["Vary"])
			return nil
		}}))
		got := w.do(r)
		check(t, "hints", hints, "103 [</style.css>; rel=preload] [] []")
		check(t, "answer", fmt.Sprint(got.status, got.header["Content-Encoding"], got.header["Vary"], got.err), "200 [gzip] [Accept-Encoding] <nil>")
		check(t, "body", inflate(t, "gzip", got.body), "hello world")
		check(t, "trailer", got.trailer.Get("X-Sum"), "11")
	})
}

// Answers that must have no body get none, and a HEAD gets the header of the GET.
func TestCompressNothing(t *testing.T) {
	t.Parallel()
	const typed = "Content-Type: text/html\n"
	compressed(t, func(t *testing.T, w *world) {
		w.answers(map[string]string{
			"/204":   "HTTP/1.1 204 No Content\n" + typed + "\n",
			"/205":   "HTTP/1.1 205 Reset Content\n" + typed + "Content-Length: 0\n\n",
			"/304":   "HTTP/1.1 304 Not Modified\n" + typed + "Etag: \"v1\"\n\n",
			"/empty": "HTTP/1.1 200 OK\n" + typed + "Content-Length: 0\n\n",
			"/head":  "HTTP/1.1 200 OK\n" + typed + "Etag: \"v1\"\nAccept-Ranges: bytes\nContent-Length: 5000\n\n",
		})
		for path, status := range map[string]int{"/204": 204, "/205": 205, "/304": 304, "/empty": 200} {
			got := w.do(w.wanting("GET", path))
			check(t, path, fmt.Sprint(got.status, got.header["Content-Encoding"], len(got.body), got.err), fmt.Sprint(status, " [] 0 <nil>"))
		}
		check(t, "/304: tag", w.do(w.wanting("GET", "/304")).header.Get("Etag"), `"v1"`)
		got := w.do(w.wanting("HEAD", "/head"))
		check(t, "HEAD", fmt.Sprint(got.status, got.header["Content-Encoding"], got.header["Content-Length"], got.header["Etag"], got.header["Accept-Ranges"], got.err),
			`200 [gzip] [] [W/"v1"] [] <nil>`)
		check(t, "after it", w.do(w.wanting("GET", "/empty")).status, 200)
	})
}

// Each event of an event stream arrives at once and uncompressed. Each chunk of another
// stream arrives at once, and can be decompressed without the next one.
func TestCompressIsPrompt(t *testing.T) {
	t.Parallel()
	compressed(t, func(t *testing.T, w *world) {
		w.script("app:80", func(c *wire) {
			r, _ := c.request()
			media := "application/x-ndjson"
			if r.URL.Path == "/events" {
				media = "text/event-stream; charset=utf-8"
			}
			c.say("HTTP/1.1 200 OK\nContent-Type: " + media + "\nTransfer-Encoding: chunked\n\n")
			for n := range 5 {
				c.say(fmt.Sprintf("7\ndata: %d\n", n))
				time.Sleep(time.Minute)
			}
			c.say("0\n\n")
		})
		for path, coding := range map[string]string{"/events": "", "/lines": "gzip"} {
			began := time.Now()
			res, err := w.client.Do(w.wanting("GET", path))
			if err != nil {
				t.Fatal(err)
			}
			check(t, path+": coding", res.Header.Get("Content-Encoding"), coding)
			body := io.Reader(res.Body)
			if coding == "gzip" {
				if body, err = gzip.NewReader(res.Body); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 5 {
				part := make([]byte, 7)
				if _, err := io.ReadFull(body, part); err != nil || string(part) != fmt.Sprintf("data: %d", n) {
					t.Fatalf("%s: part %d: got %q, %v", path, n, part, err)
				}
				if late := time.Since(began) - time.Duration(n)*time.Minute; late > 10*time.Second {
					t.Errorf("%s: part %d came %v late", path, n, late)
				}
			}
			rest, err := io.ReadAll(body)
			check(t, path+": the end", fmt.Sprintf("%q %v", rest, err), `"" <nil>`)
			res.Body.Close()
		}
	})
}

// A gRPC call passes unchanged, with its trailer, whatever the types of the route say.
func TestCompressLeavesGRPC(t *testing.T) {
	t.Parallel()
	s := grpcSetup("app:80")
	s.route.Compress = &proxy.Compress{Encodings: []*proxy.Encoding{proxy.Gzip()}, Types: []string{"*"}}
	bubble(t, s, func(w *world) {
		w.useHTTP2()
		message := "\x00\x00\x00\x00\x05hello"
		w.h2app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			h := rw.Header()
			h.Set("Content-Type", r.Header.Get("X-Type"))
			h.Set("Trailer", "Grpc-Status")
			io.WriteString(rw, message)
			h.Set("Grpc-Status", "0")
		})
		for _, media := range []string{"application/grpc", "application/grpc+proto", "Application/GRPC", "application/grpc-web+proto"} {
			got, a := w.call("Accept-Encoding", "gzip", "X-Type", media)
			check(t, media, got, "200 "+media+" 0")
			check(t, media+": body", a.body, message)
			check(t, media+": coding", fmt.Sprint(a.header["Content-Encoding"], a.header["Vary"]), "[] []")
		}
	})
}
