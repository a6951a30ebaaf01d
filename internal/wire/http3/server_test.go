//go:build !minimal

package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// bench is a socket with the certificate of its servers.
type bench struct {
	t      *testing.T
	ca     *certtest.Authority
	cert   tls.Certificate
	socket *Socket
	open   atomic.Int64 // connections
}

func newBench(t *testing.T) *bench {
	t.Helper()
	socket, err := Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	ca := certtest.NewAuthority(t, "authority")
	return &bench{t: t, ca: ca, cert: ca.Issue("127.0.0.1"), socket: socket}
}

// serve starts a server on the socket. Missing options are generous.
func (b *bench) serve(o Options) *Server {
	b.t.Helper()
	o.TLS = &tls.Config{Certificates: []tls.Certificate{b.cert}}
	o.MaxHeader, o.MaxStreams = 10<<10, max(o.MaxStreams, 1)
	for _, d := range []*time.Duration{&o.Header, &o.Keepalive, &o.Idle, &o.WriteIdle} {
		if *d == 0 {
			*d = 20 * time.Second
		}
	}
	if o.Base == nil {
		o.Base = context.Background()
	}
	o.Counted = func(open bool) {
		if open {
			b.open.Add(1)
		} else {
			b.open.Add(-1)
		}
	}
	s := New(o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(b.socket) }()
	b.t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			b.t.Errorf("Serve: %v", err)
		}
	})
	b.until("the server to be there", func() bool { return b.socket.present.Load() == s })
	return s
}

func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal("waited for ", what)
		}
	}
}

func (b *bench) client() *http.Client {
	t := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: b.ca.Pool()}}
	b.t.Cleanup(func() { t.Close() })
	return &http.Client{Transport: t, Timeout: 20 * time.Second}
}

func (b *bench) url() string { return "https://" + b.socket.Addr().String() + "/" }

// dial opens a connection without HTTP/3's client on it.
func (b *bench) dial() *quic.Conn {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	c, err := quic.DialAddr(ctx, b.socket.Addr().String(),
		&tls.Config{RootCAs: b.ca.Pool(), NextProtos: []string{"h3"}}, &quic.Config{KeepAlivePeriod: 50 * time.Millisecond})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.CloseWithError(0, "") })
	return c
}

// header is the frame of a GET.
func (b *bench) header() []byte {
	var block strings.Builder
	e := qpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}} {
		e.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return append([]byte{1, byte(block.Len())}, block.String()...)
}

// ended returns the code by which a connection was closed.
func (b *bench) ended(c *quic.Conn) string {
	b.t.Helper()
	select {
	case <-c.Context().Done():
	case <-time.After(10 * time.Second):
		b.t.Fatal("the connection is not closed")
	}
	closed, ok := errors.AsType[*quic.ApplicationError](context.Cause(c.Context()))
	if !ok {
		return fmt.Sprint(context.Cause(c.Context()))
	}
	return http3.ErrCode(closed.ErrorCode).String()
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

// TestSuccession: a server takes over from another one while a request is in flight,
// and the old connection continues until the request has ended.
func TestSuccession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun, word := make(chan bool, 1), make(chan bool, 1)
	old := b.serve(Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- true
		<-word
		io.WriteString(w, "old")
	})})
	t.Cleanup(func() { close(word) }) // so that the request ends if the test fails
	idle := b.dial()
	got := make(chan string, 1)
	go func() {
		res, err := b.client().Get(b.url())
		if err != nil {
			got <- err.Error()
			return
		}
		body, _ := io.ReadAll(res.Body)
		got <- string(body)
	}()
	<-begun
	b.until("both connections to be accepted", func() bool { return len(old.open()) == 2 })
	old.Leave()
	if got := b.ended(idle); got != "H3_NO_ERROR" {
		t.Errorf("an idle connection was closed by %s", got)
	}
	b.serve(Options{Handler: hello})
	res, err := b.client().Get(b.url())
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); string(body) != "hello" {
		t.Errorf("the next server: got %q", body)
	}
	select {
	case <-old.Gone():
		t.Error("the old one is gone while a request is under way")
	default:
	}
	word <- true
	if got := <-got; got != "old" {
		t.Errorf("what was under way: got %q", got)
	}
	select {
	case <-old.Gone():
	case <-time.After(10 * time.Second):
		t.Error("the old server has connections still")
	}
}

// TestRequests checks the request that the handler gets.
func TestRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.serve(Options{MaxStreams: 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %q %v host=%q expect=%q nobody=%v", r.Method, r.Proto, r.ContentLength, body, err,
			r.Header["Host"], r.Header["Expect"], r.Body == http.NoBody)
	})})
	c := b.client()
	for _, tt := range []struct {
		method string
		body   io.Reader
		expect string
		want   string
	}{
		{"GET", nil, "", `GET HTTP/3.0 0 "" <nil> host=[] expect=[] nobody=true`},
		{"GET", io.MultiReader(strings.NewReader("query")), "", `GET HTTP/3.0 -1 "query" <nil> host=[] expect=[] nobody=false`},
		{"DELETE", strings.NewReader("x"), "", `DELETE HTTP/3.0 1 "x" <nil> host=[] expect=[] nobody=false`},
		{"POST", strings.NewReader("x"), "100-continue", `POST HTTP/3.0 1 "x" <nil> host=[] expect=[] nobody=false`},
		{"POST", strings.NewReader("x"), "100-Continue", `POST HTTP/3.0 1 "x" <nil> host=[] expect=[] nobody=false`},
		{"POST", strings.NewReader("x"), "foo", `POST HTTP/3.0 1 "x" <nil> host=[] expect=["foo"] nobody=false`},
		{"POST", strings.NewReader("x"), "foo, 100-continue", `POST HTTP/3.0 1 "x" <nil> host=[] expect=["foo, 100-continue"] nobody=false`},
		{"POST", io.MultiReader(strings.NewReader("x")), "", `POST HTTP/3.0 -1 "x" <nil> host=[] expect=[] nobody=false`},
	} {
		r, err := http.NewRequest(tt.method, b.url(), tt.body)
		if err != nil {
			t.Fatal(err)
		}
		if tt.expect != "" {
			r.Header.Set("Expect", tt.expect)
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if string(got) != tt.want || err != nil || res.Header["Connection"] != nil {
			t.Errorf("got  %s, %v, %v\nwant %s", got, err, res.Header, tt.want)
		}
	}
}

// TestBaseEnds: the cause for which everything ends reaches the requests.
func TestBaseEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	base, end := context.WithCancelCause(context.Background())
	over := errors.New("it is over")
	b.serve(Options{Base: base, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end(over)
		<-r.Context().Done()
		fmt.Fprint(w, context.Cause(r.Context()))
	})})
	res, err := b.client().Get(b.url())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(res.Body); string(got) != over.Error() {
		t.Errorf("got %q, want %q", got, over)
	}
}

// TestInformational: an informational response arrives before the answer.
func TestInformational(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.serve(Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "hello")
	})})
	var told []int
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		told = append(told, code)
		return nil
	}}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", b.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); string(body) != "hello" || err != nil || fmt.Sprint(told) != "[103]" {
		t.Errorf("got %v and %q, %v", told, body, err)
	}
}
