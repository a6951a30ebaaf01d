package inbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/message"
)

func dial(t *testing.T, addr net.Addr) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c.(*net.TCPConn), bufio.NewReader(c)
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads a response and returns its status and body.
func hear(t *testing.T, br *bufio.Reader) string {
	t.Helper()
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// TestClientGone checks that the end of the client ends the context of its request,
// after the first call of Done, with and without a body.
func TestClientGone(t *testing.T) {
	for _, request := range []string{get, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"} {
		began, ended := make(chan bool), make(chan error)
		addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			began <- true
			<-r.Context().Done()
			ended <- context.Cause(r.Context())
		})})
		c, _ := dial(t, addr)
		say(t, c, request)
		<-began
		c.Close()
		if err := <-ended; err != context.Canceled {
			t.Errorf("%.4s: got %v", request, err)
		}
	}
}

// TestHalfClose checks that a client that shuts down its side after its request gets
// the answer, and that a client that has left resets the connection when it is probed
// (elastic/elasticsearch#11466, httpwg/http-core#22, haproxy/haproxy#811,
// envoyproxy/envoy#2066).
func TestHalfClose(t *testing.T) {
	t.Parallel()
	sent, answer := make(chan bool), make(chan bool)
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-sent
		select {
		case <-r.Context().Done():
			io.WriteString(w, "gone")
		case <-answer:
			io.WriteString(w, r.URL.Path)
		}
	})})
	halfClose := func(request string) *bufio.Reader {
		c, br := dial(t, addr)
		say(t, c, request)
		c.CloseWrite()
		sent <- true
		return br
	}
	var clients []*bufio.Reader
	for _, request := range []string{
		"GET /a HTTP/1.0\r\n\r\n",
		"GET /a HTTP/1.0\r\nHost: a\r\nUser-Agent: b\r\nConnection: close\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
		"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	} {
		clients = append(clients, halfClose(request))
	}
	if got := hear(t, halfClose("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")); got != "102 " { // the last request
		t.Errorf("got %q instead of an interim response", got)
	}
	close(answer)
	for i, br := range clients {
		got := hear(t, br)
		if got == "102 " && i >= 2 {
			got = hear(t, br)
		}
		if got != "200 /a" {
			t.Errorf("client %d: got %q", i, got)
		}
	}
}

// TestHalfCloseThenReset checks that a client that shuts down its side first, and then
// resets the connection, counts as gone.
func TestHalfCloseThenReset(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan bool), make(chan bool)
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-asked
		<-r.Context().Done()
		close(ended)
	})})
	c, br := dial(t, addr)
	say(t, c, get)
	c.CloseWrite()
	asked <- true
	if got := hear(t, br); got != "102 " {
		t.Errorf("got %q instead of an interim response", got)
	}
	c.SetLinger(0)
	c.Close()
	<-ended
}

// TestWatchedClientSendsMore checks that the byte read by the watch is the first one of
// the next request, and that a watch leaves no deadline behind.
func TestWatchedClientSendsMore(t *testing.T) {
	asked := make(chan bool)
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Done()
		if r.URL.Path == "/wait" {
			asked <- true
			<-asked
		}
		io.WriteString(w, r.URL.Path)
	})})
	c, br := dial(t, addr)
	for range 20 {
		say(t, c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		<-asked
		say(t, c, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n") // which the watch sees, or not yet
		asked <- true
		if got := hear(t, br) + hear(t, br); got != "200 /wait200 /next" {
			t.Fatalf("got %q", got)
		}
	}
}

// TestContextAfterwards checks that a context without an earlier call of Done has ended
// with its request.
func TestContextAfterwards(t *testing.T) {
	contexts := make(chan context.Context, 3)
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { contexts <- r.Context() })})
	c, br := dial(t, addr)
	say(t, c, get+get)
	hear(t, br)
	hear(t, br)
	ctx := <-contexts
	say(t, c, get)
	hear(t, br)
	if err := ctx.Err(); err != context.Canceled {
		t.Errorf("Err: got %v", err)
	}
	<-ctx.Done()
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	<-derived.Done()
}

// TestBaseContext checks that the server's context ends requests with its cause.
func TestBaseContext(t *testing.T) {
	base, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("enough")
	got := make(chan error)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Base: base, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- nil
		<-r.Context().Done()
		got <- context.Cause(r.Context())
	})})
	go s.Serve(l)
	defer s.Close()
	defer l.Close()
	c, _ := dial(t, l.Addr())
	say(t, c, get)
	<-got
	cancel(cause)
	if err := <-got; err != cause {
		t.Errorf("got %v, want %v", err, cause)
	}
}

// TestExpect checks that a client that waits for 100 Continue gets it when the handler
// reads the body, and not if it does not.
func TestExpect(t *testing.T) {
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		io.Copy(w, r.Body)
	})})
	c, br := dial(t, addr)
	say(t, c, "POST /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if got := hear(t, br); got != "100 " {
		t.Fatalf("got %q, want to be asked", got)
	}
	say(t, c, "hello")
	if got := hear(t, br); got != "200 hello" {
		t.Fatalf("got %q", got)
	}
	say(t, c, "POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if got := hear(t, br); got != "403 " {
		t.Fatalf("got %q", got)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("the connection, of which nobody knows where the next request begins: got %v, want its end", err)
	}
}

// TestHijack checks that a handler that takes over the connection gets the client's
// early bytes, can close its side alone, and that the server no longer tracks the
// connection.
func TestHijack(t *testing.T) {
	var states sync.Map
	done := make(chan bool)
	addr := serve(t, Options{
		ConnState: func(c net.Conn, s http.ConnState) { states.Store(s, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			r.Context().Done() // the watch, too, must let go
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			got, err := io.ReadAll(c)
			fmt.Fprintf(c, "%s %v", got, err)
			if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
				t.Errorf("a write after the hijack: got %v", err)
			}
		}),
	})
	c, br := dial(t, addr)
	say(t, c, get+"early")
	hear(t, br)
	say(t, c, " and late")
	c.CloseWrite()
	if got, err := io.ReadAll(br); string(got) != "early and late <nil>" {
		t.Errorf("got %q, %v", got, err)
	}
	<-done
	if _, ok := states.Load(http.StateHijacked); !ok {
		t.Error("nobody was told")
	}
}

// TestPanic checks that a handler's panic ends only its connection.
func TestPanic(t *testing.T) {
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("oh")
		}
	})})
	for _, path := range []string{"/panic", "/", "/panic"} {
		c, br := dial(t, addr)
		say(t, c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := hear(t, br); (got == "200 ") != (path == "/") {
			t.Errorf("%s: got %q", path, got)
		}
	}
}

// TestRefuse checks that bytes that are no request are reported and answered, and are
// the last on their connection, and that a client that still sends can read the answer.
func TestRefuse(t *testing.T) {
	var told atomic.Value
	addr := serve(t, Options{MaxHeader: 10000, Refuse: func(w ResponseWriter, r *message.Request, status int, err error) {
		told.Store(err.Error())
		http.Error(w, "no", status)
	}})
	for bytes, want := range map[string]string{
		"GET / HTTP/3.0\r\nHost: a\r\n\r\n" + get:                                                     "505 no\n",
		"nonsense\r\n\r\n":                                                                            "400 no\n",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 200_000):                                        "431 no\n",
		"GET /" + strings.Repeat("x", 9990) + " HTTP/1.1\r\nHost: a\r\n\r\n":                          "414 no\n",
		"GET /" + strings.Repeat("x", 9950) + " HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyz\r\n\r\n": "431 no\n",
		"GET /" + strings.Repeat("x", 200_000):                                                        "414 no\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + "0\r\n\r\n" + get:                   "400 no\n",
	} {
		c, br := dial(t, addr)
		say(t, c, bytes)
		if got := hear(t, br); got != want || told.Load() == nil {
			t.Errorf("%.20q: got %q, want %q; told %v", bytes, got, want, told.Load())
		}
		if _, err := br.ReadByte(); err != io.EOF {
			t.Errorf("%.20q: behind it: %v", bytes, err)
		}
	}
}

// TestTLS checks that the server speaks both protocols over TLS, and HTTP/2 also
// without TLS, and that a client that does not speak TLS gets an answer.
func TestTLS(t *testing.T) {
	pair := certtest.NewAuthority(t, "test").Issue("localhost")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", r.TLS != nil, " ", r.RemoteAddr != "")
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	var open atomic.Int32
	count := func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	secure := serve(t, Options{
		Handler: h, ConnState: count, HTTP2: &http.Server{Handler: h, Protocols: protocols},
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}},
	})
	clear := serve(t, Options{Handler: h, ConnState: count, HTTP2: &http.Server{Handler: h, Protocols: protocols}})
	for _, c := range []struct {
		url, want string
		h2        bool
	}{
		{"https://" + secure.String(), "HTTP/2.0 true true", true},
		{"https://" + secure.String(), "HTTP/1.1 true true", false},
		{"http://" + clear.String(), "HTTP/2.0 false true", true},
		{"http://" + clear.String(), "HTTP/1.1 false true", false},
	} {
		p := new(http.Protocols)
		p.SetHTTP1(!c.h2)
		p.SetHTTP2(c.h2)
		p.SetUnencryptedHTTP2(c.h2)
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: p}
		for range 2 {
			res, err := (&http.Client{Transport: tr}).Get(c.url)
			if err != nil {
				t.Errorf("%+v: %v", c, err)
				continue
			}
			got, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if string(got) != c.want {
				t.Errorf("%+v: got %q", c, got)
			}
		}
		tr.CloseIdleConnections()
	}
	c, br := dial(t, secure)
	say(t, c, get)
	if got := hear(t, br); !strings.HasPrefix(got, "400 ") {
		t.Errorf("in the clear: got %q", got)
	}
	for open.Load() > 0 { // also those of HTTP/2 are counted once
		runtime.Gosched()
	}
}

// TestBodyAfterwards checks that a body that is still read after the handler has
// returned ends, with the connection.
func TestBodyAfterwards(t *testing.T) {
	late := make(chan error)
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reading := make(chan bool)
		go func() {
			close(reading)
			_, err := io.ReadAll(r.Body)
			late <- err
		}()
		<-reading
		time.Sleep(10 * time.Millisecond) // not needed: without it the read may come too late, and fail as well
	})})
	c, br := dial(t, addr)
	say(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
	if got := hear(t, br); got != "200 " {
		t.Errorf("got %q", got)
	}
	if err := <-late; err == nil {
		t.Error("the body was read to a good end, which it does not have")
	}
	if _, err := br.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
}

// TestTruncatedAnswer checks that a connection ends after an answer that the client did
// not read in time, also if the handler ignores the error: further bytes would look
// like the rest of the answer.
func TestTruncatedAnswer(t *testing.T) {
	const size = 32 << 20 // more than the sockets hold
	over, body := make(chan error, 2), make([]byte, size)
	addr := serve(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second)) // within which it begins, however busy the machine is
		_, err := w.Write(body)
		over <- err
	})})
	c, br := dial(t, addr)
	say(t, c, get+get)
	if err := <-over; !deadline.Exceeded(err) {
		t.Fatalf("the handler got %v", err)
	}
	got, _ := io.ReadAll(br)
	if n := strings.Count(string(got), "HTTP/1.1 200"); n != 1 || len(got) >= size {
		t.Errorf("got %d answers in %d bytes, want half of one", n, len(got))
	}
}
