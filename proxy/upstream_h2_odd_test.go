package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/proxy"
)

// An upstream's response has one meaning or is refused, and costs neither the client's
// connection nor the upstream's. That includes a 304 with the length of the body that it
// leaves out (louislam/uptime-kuma#7635).
func TestHTTP2UnusualResponses(t *testing.T) {
	t.Parallel()
	type fields = []string
	f := func(name, method, want string, header fields, end bool, body string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, setup{pool: h2(proxy.PoolOptions{Commit: proxy.Commit{Buffer: 64 << 10}, Retry: retries(3)}), upstreams: specs("app:80")}, func(w *world) {
				var conns, asked atomic.Int32
				w.frames("app:80", func(c *framed) {
					conns.Add(1)
					for stream := c.request(); stream != 0; stream = c.request() {
						if asked.Add(1) > 1 {
							c.header(stream, true, ":status", "204")
							continue
						}
						c.header(stream, end, header...)
						if !end {
							c.WriteData(stream, true, []byte(body))
						}
					}
				})
				got := w.send(method, "/", nil)
				seen := fmt.Sprint(got.status)
				if got.status == 502 {
					seen += " " + w.record().Reason.String()
				} else {
					seen += fmt.Sprint(" ", got.header["Content-Length"], " ", got.body, " ", got.err)
				}
				check(t, "answer", seen, want)
				check(t, "attempts", len(w.record().Attempts), 1)
				check(t, "next", w.send("POST", "/", nil).status, 204)
				check(t, "connections", conns.Load(), 1)
			})
		})
	}
	const malformed = "502 response_malformed"
	length := func(status string, lengths ...string) fields {
		h := fields{":status", status}
		for _, l := range lengths {
			h = append(h, "content-length", l)
		}
		return h
	}
	f("304 with a length", "GET", "304 []  <nil>", length("304", "9"), true, "")
	f("304 with a length and an empty DATA", "GET", "304 []  <nil>", length("304", "9"), false, "")
	f("304 with a length and a body", "GET", "304 []  <nil>", length("304", "9"), false, "something")
	f("304 with two lengths", "POST", malformed, length("304", "9", "8"), true, "")
	f("204 with a length", "POST", "204 []  <nil>", length("204", "5"), true, "")
	f("204 with an empty DATA", "POST", "204 []  <nil>", length("204", "5"), false, "")
	f("HEAD with a length", "HEAD", "200 [9]  <nil>", length("200", "9"), true, "")
	f("HEAD with an empty DATA", "HEAD", "200 [9]  <nil>", length("200", "9"), false, "")
	f("HEAD with two lengths", "HEAD", "200 [9]  <nil>", length("200", "9", "9"), true, "")
	f("two equal lengths", "POST", "200 [4] body <nil>", length("200", "4", "4"), false, "body")
	f("two lengths", "POST", malformed, length("200", "4", "5"), false, "body")
	f("three lengths", "POST", malformed, length("200", "4", "4", "5"), false, "body")
	f("a list of lengths", "POST", malformed, length("200", "4, 4"), false, "body")
	f("no number", "POST", malformed, length("200", "x"), false, "body")
	f("a sign", "POST", malformed, length("200", "+4"), false, "body")
	f("an overflowing length", "POST", malformed, length("200", "9223372036854775808"), false, "body")
	f("too short", "POST", "502 response_truncated", length("200", "5"), false, "body")
	f("too short, twice", "POST", "502 response_truncated", length("200", "5", "5"), false, "body")
	f("no byte of the body", "POST", "502 response_truncated", length("200", "5"), true, "")
	f("no byte of the body, twice", "POST", "502 response_truncated", length("200", "5", "5"), true, "")
	f("too long", "POST", "502 response_malformed", length("200", "3"), false, "body")
	f("too long, twice", "POST", "502 response_malformed", length("200", "3", "3"), false, "body")
	for _, status := range []string{"", "0", "42", "099", "1000", "+200", "-200", "0200", "20", "2 0", "abc", "101", "+101"} {
		f("status "+status, "POST", malformed, fields{":status", status}, true, "")
	}
}

// A 101 over HTTP/2, where no client can ask for one, is refused, and the client's
// connection stays HTTP.
func TestHTTP2SwitchingProtocolsIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{}), upstreams: specs("app:80")}, func(w *world) {
		w.frames("app:80", func(c *framed) {
			stream := c.request()
			c.header(stream, false, ":status", "101", "upgrade", "websocket")
			c.WriteData(stream, true, []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			c.answer()
		})
		c := w.dial()
		for _, want := range []int{502, 204} {
			c.say("GET / HTTP/1.1\nHost: example.com\n\n")
			res := c.response(t, nil)
			io.Copy(io.Discard, res.Body)
			check(t, "status", res.StatusCode, want)
		}
		check(t, "on the same connection", w.record().Attempts[0].Reused, true)
		w.mu.Lock()
		first := w.records[0]
		w.mu.Unlock()
		check(t, "counted", decisions(first), "app:response_malformed:no_attempts_left")
	})
}

// For any frames from an upstream, the client gets no blame, its answer arrives in
// time, and the next request can use the upstream.
func TestHTTP2UnusualUpstreams(t *testing.T) {
	t.Parallel()
	upload := func(size int, name, want string, script func(c *framed, stream uint32)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := proxy.PoolOptions{
				Commit:   proxy.Commit{Buffer: 64 << 10},
				Timeouts: proxy.Timeouts{Idle: 10 * time.Second, ResponseHeader: 10 * time.Second, Ping: 5 * time.Second},
			}
			bubble(t, setup{pool: h2(o), upstreams: specs("app:80")}, func(w *world) {
				var asked atomic.Int32
				w.frames("app:80", func(c *framed) {
					c.AllowIllegalWrites = true
					for stream := c.header1(); stream != 0; stream = c.header1() {
						if asked.Add(1) > 1 {
							c.header(stream, true, ":status", "204")
							continue
						}
						script(c, stream)
					}
				})
				began := time.Now()
				got := w.send("POST", "/", strings.NewReader(strings.Repeat("x", size)))
				check(t, "answer", fmt.Sprint(got.status, " ", w.record().Reason), want)
				check(t, "in time", time.Since(began) <= 15*time.Second, true)
				check(t, "next", w.send("POST", "/", nil).status, 204)
			})
		})
	}
	// A script that does not read has room for a small body: a bubble's clock stops while
	// net/http waits for the writer's lock.
	f := func(name, want string, script func(c *framed, stream uint32)) { upload(1<<10, name, want, script) }
	const malformed = "502 response_malformed"
	f("push promise", malformed, func(c *framed, stream uint32) {
		c.WritePushPromise(http2.PushPromiseParam{StreamID: stream, PromiseID: 2, EndHeaders: true})
	})
	f("upper-case field", malformed, func(c *framed, stream uint32) { c.header(stream, true, ":status", "200", "X-Upper", "x") })
	f("field with a line feed", malformed, func(c *framed, stream uint32) { c.header(stream, true, ":status", "200", "x", "a\nb") })
	f("no status", malformed, func(c *framed, stream uint32) { c.header(stream, true, "x", "y") })
	f("two statuses", malformed, func(c *framed, stream uint32) { c.header(stream, true, ":status", "200", ":status", "204") })
	f("pseudo field of requests", malformed, func(c *framed, stream uint32) { c.header(stream, true, ":status", "200", ":path", "/") })
	f("pseudo field after others", malformed, func(c *framed, stream uint32) { c.header(stream, true, "x", "y", ":status", "200") })
	f("pseudo field in a trailer", "502 response_malformed", func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "200")
		c.header(stream, true, ":status", "200")
	})
	f("endless trailer", "502 response_malformed", func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "200")
		c.header(stream, false, "x", "y")
	})
	f("1xx that ends", malformed, func(c *framed, stream uint32) { c.header(stream, true, ":status", "103") })
	f("1xx without end", malformed, func(c *framed, stream uint32) {
		for range 200 {
			c.header(stream, false, ":status", "103")
		}
	})
	f("too large a header", malformed, func(c *framed, stream uint32) {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		e.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("\x01", 300<<10)})
		c.writeBlock(stream, b.Bytes())
	})
	f("too large a header, compressed", malformed, func(c *framed, stream uint32) {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		for range 10_000 {
			e.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 3000)})
		}
		c.writeBlock(stream, b.Bytes())
	})
	f("continuation without end", malformed, func(c *framed, stream uint32) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}})
		for range 1000 {
			var b bytes.Buffer
			hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 8<<10)})
			if c.WriteContinuation(stream, false, b.Bytes()) != nil {
				return
			}
		}
	})
	f("data before the header", malformed, func(c *framed, stream uint32) { c.WriteData(stream, true, []byte("x")) })
	f("data on a stream never opened", malformed, func(c *framed, stream uint32) { c.WriteData(stream+100, true, []byte("x")) })
	f("data after the end", "200 none", func(c *framed, stream uint32) {
		c.header(stream, true, ":status", "200")
		c.WriteData(stream, true, []byte("x"))
	})
	f("more data than the window", "200 response_malformed", func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "200")
		for range 2000 { // 32 MB; nobody reads more than the buffer
			if c.WriteData(stream, false, make([]byte, 16<<10)) != nil {
				return
			}
		}
	})
	f("overflowing window", malformed, func(c *framed, stream uint32) {
		c.WriteWindowUpdate(0, 1<<31-1)
		c.WriteWindowUpdate(0, 1<<31-1)
	})
	f("window update of an unknown stream", malformed, func(c *framed, stream uint32) { c.WriteWindowUpdate(stream+2, 1) })
	f("stream's window that overflows", malformed, func(c *framed, stream uint32) {
		c.WriteWindowUpdate(stream, 1<<31-1)
		c.WriteWindowUpdate(stream, 1<<31-1)
	})
	f("overflowing initial window", malformed, func(c *framed, stream uint32) {
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
	})
	f("stream's window that overflows by a setting", malformed, func(c *framed, stream uint32) {
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		for range 2 {
			c.WriteWindowUpdate(stream, 1<<16)
		}
	})
	upload(100<<10, "stream's window as wide as can be", "200 none", func(c *framed, stream uint32) {
		c.WriteWindowUpdate(stream, 1<<31-1-65535)
		c.WriteWindowUpdate(0, 1<<31-1-65535)
		for c.data(stream) {
			c.WriteWindowUpdate(stream, 1)
		}
		c.header(stream, true, ":status", "200")
	})
	upload(100<<10, "window that never opens", "504 response_timeout", func(c *framed, stream uint32) {
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	})
	f("endless settings", "200 none", func(c *framed, stream uint32) {
		for i := range uint32(1000) {
			c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: i << 20}, streams(i), http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16<<10 + i})
		}
		c.header(stream, true, ":status", "200")
	})
	f("pings without end", "200 none", func(c *framed, stream uint32) {
		for range 1000 {
			c.WritePing(false, [8]byte{})
		}
		c.header(stream, true, ":status", "200")
	})
	f("resets of unknown streams", "200 none", func(c *framed, stream uint32) {
		for i := range uint32(1000) {
			c.WriteRSTStream(2*i+101, http2.ErrCodeCancel)
		}
		c.header(stream, true, ":status", "200")
	})
	f("frames of unknown types", "200 none", func(c *framed, stream uint32) {
		for range 3 { // net/http logs each
			c.WriteRawFrame(0xbb, 0, stream, []byte("grease"))
		}
		c.header(stream, true, ":status", "200")
	})
	f("goaway with a higher stream", "503 stream_refused", func(c *framed, stream uint32) {
		c.WriteGoAway(0, http2.ErrCodeNo, nil)
		c.WriteGoAway(stream, http2.ErrCodeNo, nil)
		c.wait()
	})
	f("goaway, and no word any more", "504 response_timeout", func(c *framed, stream uint32) {
		c.WriteGoAway(stream, http2.ErrCodeNo, nil)
		time.Sleep(time.Hour)
	})
	f("silence", "504 response_timeout", func(c *framed, stream uint32) { time.Sleep(time.Hour) })
}

// data reads up to the next DATA of a stream, and reports whether more follows.
func (c *framed) data(stream uint32) bool {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return false
		}
		if f, ok := f.(*http2.DataFrame); ok && f.StreamID == stream && f.Length > 0 {
			return !f.StreamEnded()
		}
	}
}

// writeBlock sends a header block in as many frames as necessary.
func (c *framed) writeBlock(stream uint32, block []byte) {
	const most = 16 << 10
	n := min(len(block), most)
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:n], EndHeaders: n == len(block), EndStream: true})
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), most)
		c.WriteContinuation(stream, n == len(block), block[:n])
	}
}

// An upstream's limit for a request's header is not the client's fault either.
func TestHTTP2UpstreamLimitsHeader(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("small:80", "good:80")}, func(w *world) {
		var conns atomic.Int32
		w.frames("small:80", func(c *framed) {
			conns.Add(1)
			c.answer()
		}, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1})
		w.h2app("good:80", func(http.ResponseWriter, *http.Request) {})
		check(t, "status", w.send("POST", "/", strings.NewReader("order")).status, 200)
		check(t, "connections", conns.Load(), 1)
	})
}

// A request with two different lengths is refused, and so is one whose length is no
// number or is not that of the body. HTTP/2 frames bodies without it, but an upstream may
// use it. An empty DATA frame is no body (linkerd/linkerd2#402).
func TestHTTP2RequestLengths(t *testing.T) {
	t.Parallel()
	bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
		var mu sync.Mutex
		var seen string
		w.app("app:80", func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			seen = fmt.Sprint(r.Header["Content-Length"], " ", r.TransferEncoding, " ", string(body))
		})
		conn := w.dial()
		io.WriteString(conn, http2.ClientPreface)
		c := &framed{Framer: http2.NewFramer(conn, conn.r)}
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		c.WriteSettings()
		stream := uint32(1)
		f := func(name, method, body string, end bool, status, want string, lengths ...string) {
			t.Helper()
			fields := []string{":method", method, ":scheme", "http", ":authority", "example.com", ":path", "/"}
			for _, l := range lengths {
				fields = append(fields, "content-length", l)
			}
			seen = ""
			c.header(stream, end, fields...)
			if !end {
				c.WriteData(stream, true, []byte(body))
			}
			if got := c.status(stream); !strings.Contains(status, got) {
				t.Errorf("%s: got %s, want %s", name, got, status)
			}
			mu.Lock()
			defer mu.Unlock()
			check(t, name+": upstream got", seen, want)
			stream += 2
		}
		const refused = "400 or reset" // if the server itself rejects the body, it may reset first
		f("one", "POST", "body", false, "200", "[4] [] body", "4")
		f("two equal ones", "POST", "body", false, "200", "[4] [] body", "4", "4")
		f("two", "POST", "body", false, "400", "", "4", "5")
		f("two lengths, the second right", "POST", "body", false, refused, "", "5", "4")
		f("no number", "POST", "body", false, refused, "", "x")
		f("a list", "POST", "body", false, refused, "", "4, 4")
		f("a sign", "POST", "body", false, refused, "", "+4")
		f("without a body", "POST", "", true, "400", "", "4")
		f("without a body, twice", "GET", "", true, "400", "", "0", "4")
		f("none", "POST", "body", false, "200", "[] [chunked] body")
		f("GET", "GET", "", true, "200", "[] [] ")
		f("GET with an empty DATA", "GET", "", false, "200", "[] [] ")
		f("HEAD with an empty DATA", "HEAD", "", false, "200", "[] [] ")
		f("DELETE with an empty DATA", "DELETE", "", false, "200", "[] [] ")
		f("GET with a body", "GET", "body", false, "200", "[] [chunked] body")
		f("GET with a length of zero", "GET", "", true, "200", "[] [] ", "0")
	})
}

// status reads up to the header of a response, and returns its status.
func (c *framed) status(stream uint32) string {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return "reset"
			}
		}
	}
}
