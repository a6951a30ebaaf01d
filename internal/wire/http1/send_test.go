package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// headWith returns a head with lines.
func headWith(t testing.TB, lines string) *header.Head {
	t.Helper()
	h := new(header.Head)
	if err := h.ParseFields(lines + "\r\n"); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestSendsFieldsUnchanged: fields keep their order and case. The fields that decide
// where the request goes and ends come from other facts.
func TestSendsFieldsUnchanged(t *testing.T) {
	t.Parallel()
	f := func(name, lines string, r Request, want string) {
		t.Helper()
		r.Head, r.Host = headWith(t, lines), "new.example"
		if r.Target == "" {
			r.Target = "/"
		}
		before := slices.Clone(r.Head.Fields)
		got, err := headSent(&r)
		if want += "\r\n"; got != want || err != nil {
			t.Errorf("%s: got  %q, %v\nwant %q", name, got, err, want)
		}
		if !slices.Equal(r.Head.Fields, before) {
			t.Errorf("%s: the head was changed", name)
		}
	}
	body := func() io.ReadCloser { return streaming("hello") }
	f("order and case", "b: 1\r\nhost: old\r\nA: 2\r\nb: 3\r\n", Request{Method: "GET", Target: "//a%2Fb?c=%zz"},
		"GET //a%2Fb?c=%zz HTTP/1.1\r\nb: 1\r\nhost: new.example\r\nA: 2\r\nb: 3\r\n")
	f("no Host", "A: 1\r\n", Request{Method: "GET"}, "GET / HTTP/1.1\r\nHost: new.example\r\nA: 1\r\n")
	f("several Hosts", "Host: a\r\nHOST: b\r\n", Request{}, "GET / HTTP/1.1\r\nHost: new.example\r\n")
	f("agents", "User-Agent: a\r\nUser-Agent: b\r\n", Request{}, "GET / HTTP/1.1\r\nHost: new.example\r\nUser-Agent: a\r\nUser-Agent: b\r\n")
	f("length in its place", "Host: a\r\ncontent-length: 7\r\nA: 1\r\nContent-Length: 8\r\n", Request{Method: "POST", Body: body(), ContentLength: 5},
		"POST / HTTP/1.1\r\nHost: new.example\r\ncontent-length: 5\r\nA: 1\r\n")
	f("length 0", "Host: a\r\nContent-Length: 0\r\nA: 1\r\n", Request{Method: "GET"}, "GET / HTTP/1.1\r\nHost: new.example\r\nContent-Length: 0\r\nA: 1\r\n")
	f("length of a body that is not there", "Host: a\r\nContent-Length: 5\r\n", Request{Method: "POST", ContentLength: -1}, "POST / HTTP/1.1\r\nHost: new.example\r\nContent-Length: 0\r\n")
	f("no length", "Host: a\r\n", Request{Method: "PUT"}, "PUT / HTTP/1.1\r\nHost: new.example\r\nContent-Length: 0\r\n")
	f("length added", "Host: a\r\nA: 1\r\n", Request{Method: "DELETE", Body: body(), ContentLength: 5},
		"DELETE / HTTP/1.1\r\nHost: new.example\r\nA: 1\r\nContent-Length: 5\r\n")
	f("chunked", "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\nTrailer: X\r\n", Request{Method: "POST", Body: body(), ContentLength: -1},
		"POST / HTTP/1.1\r\nHost: new.example\r\nTransfer-Encoding: chunked\r\n")
	f("chunked, in memory", "Host: a\r\n", Request{Method: "POST", Body: NewBody([]byte("hello")), ContentLength: -1},
		"POST / HTTP/1.1\r\nHost: new.example\r\nTransfer-Encoding: chunked\r\n")
	f("framing without a body", "Host: a\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n", Request{Method: "GET"},
		"GET / HTTP/1.1\r\nHost: new.example\r\ncontent-length: 0\r\n")
	f("trailer", "Host: a\r\nTrailer: X-A\r\n", Request{Method: "POST", Body: body(), ContentLength: 5, Trailer: http.Header{"X-B": nil}},
		"POST / HTTP/1.1\r\nHost: new.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-B\r\n")
	f("close", "Host: a\r\n", Request{Close: true}, "GET / HTTP/1.1\r\nHost: new.example\r\nConnection: close\r\n")
	f("close twice", "Host: a\r\nConnection: x, Close\r\n", Request{Close: true}, "GET / HTTP/1.1\r\nHost: new.example\r\nConnection: x, Close\r\n")
}

// bufferedBody returns its own rest.
type bufferedBody struct {
	io.ReadCloser
	rest []byte
}

func (b *bufferedBody) Buffered() ([]byte, bool) { return b.rest, true }

func TestSendRejectsUnwritableFields(t *testing.T) {
	t.Parallel()
	f := func(name string, change func(*Request)) {
		t.Helper()
		body := &countedBody{Reader: streaming("hello"), t: t}
		r := &Request{Method: "POST", Target: "/", Host: "app.example", Head: headWith(t, "A: 1\r\n"), Body: body, ContentLength: 5}
		change(r)
		tr := transport(t, "", func(o *Options) { o.Dial = nil })
		_, err := tr.Send(t.Context(), r, nil)
		if e, ok := err.(*Error); !ok || e.Kind != Invalid {
			t.Errorf("%s: got %v, want %v", name, err, Invalid)
		}
		if r.Body != nil && body.closed.Load() != 1 {
			t.Errorf("%s: the body is not closed", name)
		}
	}
	f("method", func(r *Request) { r.Method = "A B" })
	f("CONNECT", func(r *Request) { r.Method = "CONNECT" })
	f("no target", func(r *Request) { r.Target = "" })
	f("target", func(r *Request) { r.Target = "/ HTTP/1.1\r\n" })
	f("host", func(r *Request) { r.Host = "a\r\nX: y" })
	f("name", func(r *Request) { r.Head.Add("X: y\r\nZ", "1") })
	f("no name", func(r *Request) { r.Head.Add("", "1") })
	f("value", func(r *Request) { r.Head.Set("A", "y\nZ: 1") })
	f("value of Host", func(r *Request) { r.Head.Set("Host", "y\r\nZ: 1") })
	f("trailer", func(r *Request) { r.Trailer = http.Header{"Trailer": nil} })
	f("length without a body", func(r *Request) { r.Body = nil })
	f("length that is not the body's", func(r *Request) { r.Body = &bufferedBody{r.Body, []byte("hello!")} })
}

// TestSendReturnsFieldsUnchanged sends several requests with one Call, one after the
// other.
func TestSendReturnsFieldsUnchanged(t *testing.T) {
	t.Parallel()
	f := func(name, sent string, status int, reason, fields, body, trailer string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := transport(t, serveRaw(t, answer(sent)))
			var x Call
			for range 2 {
				x = Call{}
				r := &Request{Target: "/", Host: "app.example", Head: headWith(t, "Cookie: secret\r\n")}
				res, err := tr.Send(t.Context(), r, &x)
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(res.Body)
				if string(content) != body || err != nil || res.StatusCode != status || res.Reason != reason {
					t.Errorf("got %d %q, %q, %v; want %d %q, %q", res.StatusCode, res.Reason, content, err, status, reason, body)
				}
				var got []byte
				for _, f := range res.Head.Fields {
					got = header.AppendField(got, f.Name, f.Value)
				}
				if string(got) != fields {
					t.Errorf("got fields %q, want %q", got, fields)
				}
				if got := res.Trailer.Get("X-Sum"); got != trailer {
					t.Errorf("got trailer %q, want %q", got, trailer)
				}
				if !x.Settled() {
					t.Error("the call is not settled")
				}
			}
		})
	}
	f("length", "HTTP/1.1 200 Fine\r\nb: 1\r\ncontent-length: 2\r\nB: 2\r\nA:\t3 \r\n\r\nok", 200, "Fine", "b: 1\r\ncontent-length: 2\r\nB: 2\r\nA: 3\r\n", "ok", "")
	f("chunked", "HTTP/1.1 404 \r\nA: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n", 404, "", "A: 1\r\nB: 2\r\n", "ok", "7")
	f("trailer", "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 7\r\n\r\n", 200, "OK", "", "", "7")
	f("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nA: 1\r\n\r\nok", 200, "OK", "Content-Length: 2\r\nA: 1\r\n", "ok", "")
	f("nothing", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, "Not Modified", "ETag: \"a\"\r\n", "", "")
	f("folded", "HTTP/1.1 200 OK\r\nb: 1\r\n  2\r\nContent-Length: 2\r\n\r\nok", 200, "OK", "b: 1 2\r\nContent-Length: 2\r\n", "ok", "")
	f("Pragma", "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nok", 200, "OK", "Pragma: no-cache\r\nContent-Length: 2\r\n", "ok", "")
	f("control characters in the phrase", "HTTP/1.1 200 O\rX: y\r\nContent-Length: 2\r\n\r\nok", 200, "", "Content-Length: 2\r\n", "ok", "")
	f("after a 103", "HTTP/1.1 103 Early\r\nLink: a\r\nA: 1\r\n\r\n"+okResponse, 200, "OK", "Content-Length: 2\r\n", "ok", "")
	many := strings.Repeat("X-A: 1\r\n", 100)
	f("many fields", "HTTP/1.1 204 No Content\r\n"+many+"\r\n", 204, "No Content", many, "", "")
}

// TestSettled: a call is not settled while a goroutine may still use it.
func TestSettled(t *testing.T) {
	t.Parallel()
	f := func(name, sent string, change func(*Request), read, want bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := transport(t, serveRaw(t, func(c *net.TCPConn) {
				http.ReadRequest(bufio.NewReader(c)) // leaves the body
				io.WriteString(c, sent)
				io.Copy(io.Discard, c)
			}))
			r := &Request{Target: "/", Host: "app.example"}
			change(r)
			var x Call
			if x.Settled() {
				t.Error("settled before the call")
			}
			res, err := tr.Send(t.Context(), r, &x)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body != http.NoBody && x.Settled() {
				t.Error("settled before the end of the body")
			}
			if read {
				io.Copy(io.Discard, res.Body)
			}
			res.Body.Close()
			if got := x.Settled(); got != want {
				t.Errorf("got %t, want %t", got, want)
			}
		})
	}
	nothing := func(*Request) {}
	f("read", okResponse, nothing, true, true)
	f("closed", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", nothing, false, true)
	f("no body", "HTTP/1.1 204 No Content\r\n\r\n", nothing, false, true)
	f("an upload that goes on", okResponse, func(r *Request) {
		pr, _ := io.Pipe()
		r.Method, r.Body, r.ContentLength = "POST", pr, -1
	}, true, false)
	f("a tunnel", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", func(r *Request) {
		r.Head = headWith(t, "Connection: Upgrade\r\nUpgrade: x\r\n")
	}, false, false)
}

// FuzzSend sends a head with arbitrary fields. It is refused, or the upstream reads
// exactly the intended request.
func FuzzSend(f *testing.F) {
	f.Add("/", "app.example", "Host: a\r\nContent-Length: 3\r\nA: 1\r\nTransfer-Encoding: chunked\r\n", "X-Extra", "1", 3)
	f.Add("*", "", "Connection: close\r\nTrailer: X\r\nb: \t1 2\r\nHOST:\r\n", "content-length", "7", -1)
	f.Add("/?%zz#", "[::1%25eth0]:80", "Expect: 100-continue\r\nUpgrade: x\r\n", "Host", "x", 0)
	f.Fuzz(func(t *testing.T, target, host, lines, extraName, extraValue string, length int) {
		var h header.Head
		if h.ParseFields(lines+"\r\n\r\n") != nil {
			return
		}
		h.Add(extraName, extraValue)
		const content = "hello"
		r := &Request{Method: "POST", Target: target, Host: host, Head: &h}
		switch {
		case length > 0:
			r.Body, r.ContentLength = NewBody([]byte(content)), int64(len(content))
		case length < 0:
			r.Body, r.ContentLength = streaming(content), -1
		}
		head, err := headSent(r)
		if err != nil {
			return
		}
		body := ""
		switch {
		case length > 0:
			body = content
		case length < 0:
			body = "5\r\n" + content + "\r\n0\r\n\r\n"
		}
		br := bufio.NewReader(strings.NewReader(head + body))
		got, sent, err := readRequest(br)
		if err != nil {
			if _, _, ok := strings.Cut(head[:len(head)-4], "\r\n\r\n"); ok || got != nil {
				t.Fatalf("%q: %v", head+body, err)
			}
			return // net/http checks more in targets and hosts
		}
		want := content
		if length == 0 {
			want = ""
		}
		if sent != want || got.RequestURI != target || br.Buffered() > 0 {
			t.Errorf("%q: target %q, body %q, %d bytes are left; want %q", head, got.RequestURI, sent, br.Buffered(), want)
		}
		checkFieldsSent(t, head, r)
	})
}

// checkFieldsSent compares all fields except those about framing.
func checkFieldsSent(t *testing.T, head string, r *Request) {
	var got header.Head
	if err := got.Parse(head); err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	about := func(f header.Field) bool {
		switch header.Identify(f.Name) {
		case header.Host, header.ContentLength, header.TransferEncoding, header.Trailer:
			return true
		}
		return false
	}
	want := slices.DeleteFunc(slices.Clone(r.Head.Fields), about)
	have := slices.DeleteFunc(slices.Clone(got.Fields), about)
	same := slices.EqualFunc(have, want, func(a, b header.Field) bool {
		return a.Name == b.Name && a.Value == strings.Trim(b.Value, " \t")
	})
	if !same || got.Count(header.Host) != 1 || got.Count(header.ContentLength)+got.Count(header.TransferEncoding) != 1 {
		t.Errorf("got %q, want %v and one Host and framing", head, want)
	}
}

// TestAnotherCallAfterAFailedDial uses a Call again, as a caller does that finds another
// protocol on the connection.
func TestAnotherCallAfterAFailedDial(t *testing.T) {
	t.Parallel()
	got := make(chan http.Header, 1)
	addr := serveRaw(t, func(c *net.TCPConn) {
		r, _, err := readRequest(bufio.NewReader(c))
		if err != nil {
			t.Error(err)
			return
		}
		got <- r.Header
		io.WriteString(c, okResponse)
	})
	tr := transport(t, addr)
	dial := tr.opts.Dial
	tr.opts.Dial = func(context.Context) (net.Conn, error) { return nil, io.EOF }
	var x Call
	r := request(t, "GET", "")
	r.Header.Set("X-A", "1")
	if _, err := tr.RoundTrip(r, &x); err != io.EOF {
		t.Fatalf("got %v", err)
	}
	tr.opts.Dial = dial
	get(t, tr, &x)
	if h := <-got; len(h) != 0 {
		t.Errorf("got %v, want no fields", h)
	}
}
