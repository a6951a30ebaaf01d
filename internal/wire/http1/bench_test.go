package http1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/header"
)

const benchResponse = "HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 13\r\n\r\nHello, world!"

// benchServer answers without parsing, so that the benchmark measures the client.
func benchServer(c *net.TCPConn) { serveBytes(c, []byte(benchResponse)) }

func serveBytes(c *net.TCPConn, response []byte) {
	buf := make([]byte, 4<<10)
	for {
		n := 0
		for !bytes.Contains(buf[:n], []byte("\r\n\r\n")) {
			m, err := c.Read(buf[n:])
			if err != nil {
				return
			}
			n += m
		}
		if _, err := c.Write(response); err != nil {
			return
		}
	}
}

func benchRequest(b *testing.B) *http.Request {
	r, err := http.NewRequestWithContext(b.Context(), "GET", "http://app.example/a/path", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{
		"Accept": {"*/*"}, "User-Agent": {"bench/1.0"}, "X-Forwarded-For": {"192.0.2.1"},
		"X-Forwarded-Proto": {"http"}, "X-Request-Id": {"0123456789abcdef"},
	}
	return r
}

func BenchmarkRoundTrip(b *testing.B) {
	run := func(name string, roundTrip func(*http.Request) (*http.Response, error)) {
		once := func() {
			res, err := roundTrip(benchRequest(b))
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					once()
				}
			})
		})
	}
	addr := serveRaw(b, benchServer)
	tr := transport(b, addr)
	run("http1", func(r *http.Request) (*http.Response, error) { return tr.RoundTrip(r, new(Call)) })
	std := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}
	b.Cleanup(std.CloseIdleConnections)
	run("std", func(r *http.Request) (*http.Response, error) {
		r.URL.Host = addr
		return std.RoundTrip(r)
	})
}

// BenchmarkReadHead compares with BenchmarkStandard/ReadResponse.
func BenchmarkReadHead(b *testing.B) {
	src := strings.NewReader("")
	c := &conn{t: &Transport{}, br: bufio.NewReader(src), x: new(Call)}
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(benchResponse)
		c.br.Reset(src)
		if _, err := c.readHead(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteHead compares with BenchmarkStandard/Write.
func BenchmarkWriteHead(b *testing.B) {
	var x Call
	var buf []byte
	r := benchRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		q, err := x.requestOf(r)
		if err != nil {
			b.Fatal(err)
		}
		o, err := newOutgoing(&q)
		if err != nil {
			b.Fatal(err)
		}
		buf = o.appendHead(buf[:0])
	}
}

// BenchmarkSend compares with BenchmarkRoundTrip, without making the request.
func BenchmarkSend(b *testing.B) {
	tr := transport(b, serveRaw(b, benchServer))
	r := benchSend()
	once := func(x *Call) {
		*x = Call{}
		res, err := tr.Send(b.Context(), r, x)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if !x.Settled() {
			b.Fatal("the call is not settled")
		}
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		var x Call
		for b.Loop() {
			once(&x)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var x Call
			for pb.Next() {
				once(&x)
			}
		})
	})
}

// TestSendAllocates checks that a plain call costs one allocation: the head of its
// response.
func TestSendAllocates(t *testing.T) {
	for name, response := range map[string]string{
		"length":  benchResponse,
		"chunked": chunkedHead + "5\r\nhello\r\n0\r\n\r\n",
		"nothing": "HTTP/1.1 304 Not Modified\r\n\r\n",
	} {
		tr := transport(t, serveRaw(t, func(c *net.TCPConn) { serveBytes(c, []byte(response)) }))
		r, x, buf := benchSend(), new(Call), make([]byte, 1<<10)
		n := testing.AllocsPerRun(1000, func() {
			*x = Call{}
			res, err := tr.Send(t.Context(), r, x)
			for err == nil {
				_, err = res.Body.Read(buf)
			}
			if err != io.EOF || !x.Settled() {
				t.Fatalf("%s: %v, settled %t", name, err, x.Settled())
			}
		})
		if n > 1 {
			t.Errorf("%s: got %v allocations, want 1", name, n)
		}
	}
}

func benchSend() *Request {
	h := new(header.Head)
	h.Parse("GET /a/path HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Request-Id: 0123456789abcdef\r\n\r\n")
	return &Request{Method: "GET", Target: "/a/path", Host: "app.example", Head: h}
}

// BenchmarkStandard measures the standard library's parsing and writing of the same call,
// to subtract from BenchmarkRoundTrip.
func BenchmarkStandard(b *testing.B) {
	b.Run("NewRequest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			benchRequest(b)
		}
	})
	b.Run("ReadResponse", func(b *testing.B) {
		b.ReportAllocs()
		src := strings.NewReader("")
		br := bufio.NewReader(src)
		for b.Loop() {
			src.Reset(benchResponse)
			br.Reset(src)
			if _, err := http.ReadResponse(br, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Write", func(b *testing.B) {
		b.ReportAllocs()
		r := benchRequest(b)
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			if err := r.Write(&buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
