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
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/certtest"
	"github.com/goodgate/goodgate/internal/limit"
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

// serve starts a server on the socket; what the options lack is generous.
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
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
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

// TestWithoutRequest: a connection on which nothing is asked is closed, also when
// a request is begun and its header never ends, which quic-go waits for.
func TestWithoutRequest(t *testing.T) {
	t.Parallel()
	for what, begin := range map[string]func(*bench, *quic.Conn){
		"nothing": func(*bench, *quic.Conn) {},
		"half a header": func(b *bench, c *quic.Conn) {
			s, err := c.OpenStream()
			if err != nil {
				b.t.Fatal(err)
			}
			s.Write(b.header()[:5])
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.serve(Options{Handler: hello, Header: 300 * time.Millisecond})
			c := b.dial()
			begin(b, c)
			if got := b.ended(c); got != "H3_NO_ERROR" {
				t.Errorf("closed by %s", got)
			}
			b.until("the count to be 0", func() bool { return b.open.Load() == 0 })
		})
	}
}

// TestKeepalive: a connection is closed some time after its last request, and not
// while one is under way.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.serve(Options{Keepalive: 200 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		http.NewResponseController(w).Flush()
		time.Sleep(500 * time.Millisecond)
		io.WriteString(w, "b")
	})})
	res, err := b.client().Get(b.url())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(res.Body); string(got) != "ab" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	b.until("the connection to be closed", func() bool { return b.open.Load() == 0 })
}

// TestCanceledRequests: a client that cancels requests as fast as it makes them
// has no more of them running than it may have at once: quic-go gives it no room
// for another before a request that was canceled has ended.
func TestCanceledRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most = 5
	var running atomic.Int64
	release := make(chan bool)
	b.serve(Options{MaxStreams: most, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		running.Add(1)
		<-release // does not heed that it was canceled
		running.Add(-1)
	})})
	c := b.dial()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	round := func() {
		for n := int64(1); n <= most; n++ {
			s, err := c.OpenStreamSync(ctx)
			if err != nil {
				t.Fatal(err)
			}
			s.Write(b.header())
			s.Close()
			b.until("the request to run", func() bool { return running.Load() == n })
			s.CancelRead(0x10c)
		}
	}
	round()
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if _, err := c.OpenStreamSync(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("room for one more: %v", err)
	}
	for range most {
		release <- true
	}
	b.until("the requests to end", func() bool { return running.Load() == 0 })
	round()
	close(release)
}

// TestConnections: as many as may be, in all and by client, and room again when
// one is closed.
func TestConnections(t *testing.T) {
	t.Parallel()
	for _, bound := range []limit.Connections{{Max: 1}, {PerClient: 1}} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.serve(Options{Handler: hello, Connections: bound})
			first := b.dial()
			_, err := b.client().Get(b.url())
			if refused, ok := errors.AsType[*quic.TransportError](err); !ok || refused.ErrorCode != quic.ConnectionRefused {
				t.Errorf("one too many: got %v", err)
			}
			first.CloseWithError(0, "")
			b.until("the first to be closed", func() bool { return b.open.Load() == 0 })
			if res, err := b.client().Get(b.url()); err != nil || res.StatusCode != 200 {
				t.Errorf("after the first: got %v, %v", res, err)
			}
		})
	}
}

// TestShortOfMemory: no connection is let in while memory is short, and again
// afterwards.
func TestShortOfMemory(t *testing.T) {
	t.Parallel()
	var short atomic.Bool
	b := newBench(t)
	b.serve(Options{Handler: hello, Short: func() error {
		if short.Load() {
			return limit.ErrMemory
		}
		return nil
	}})
	for _, now := range []bool{false, true, false} {
		short.Store(now)
		_, err := b.client().Get(b.url())
		refused, ok := errors.AsType[*quic.TransportError](err)
		if ok = ok && refused.ErrorCode == quic.ConnectionRefused; ok != now || err != nil && !ok {
			t.Errorf("short of memory %v: got %v", now, err)
		}
	}
}

// TestDoubts: when clients have to show that their address is theirs.
func TestDoubts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bound      limit.Connections
		unverified int64
		want       bool
	}{
		{limit.Connections{}, maxUnverified - 1, false},
		{limit.Connections{}, maxUnverified, true},
		{limit.Connections{PerClient: 5}, 0, true},
	} {
		b := newBench(t)
		b.serve(Options{Handler: hello, Connections: tt.bound})
		b.socket.unverified.Store(tt.unverified)
		if got := b.socket.doubts(nil); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
		if res, err := b.client().Get(b.url()); err != nil || res.StatusCode != 200 {
			t.Errorf("%+v: got %v, %v", tt, res, err)
		}
		b.until("the handshake to be counted as over", func() bool { return b.socket.unverified.Load() == tt.unverified })
	}
}

// TestSuccession: a server takes over from another while a request is under way,
// and the other's connection goes on until that has ended.
func TestSuccession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun, word := make(chan bool, 1), make(chan bool)
	old := b.serve(Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- true
		<-word
		io.WriteString(w, "old")
	})})
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

// TestRequests: what a request looks like to the handler.
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

// TestBodyThatDoesNotCome: whether a GET has a body is waited for as long as for
// a header.
func TestBodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	failed := make(chan error, 1)
	b.serve(Options{Header: 200 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
	})})
	s, err := b.dial().OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(b.header())
	select {
	case err := <-failed:
		if timeout, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err); !ok || !timeout.Timeout() {
			t.Errorf("got %v, want a timeout", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the request waits still")
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

// TestHeaderNotTaken: a client that gives no room for the header does not hold the
// request, neither with an informational response nor with a flush.
func TestHeaderNotTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	failed := make(chan error, 1)
	b.serve(Options{WriteIdle: 200 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", strings.Repeat("x", 5000))
		w.WriteHeader(http.StatusEarlyHints)
		failed <- http.NewResponseController(w).Flush()
	})})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := quic.DialAddr(ctx, b.socket.Addr().String(), &tls.Config{RootCAs: b.ca.Pool(), NextProtos: []string{"h3"}},
		&quic.Config{InitialStreamReceiveWindow: 10, MaxStreamReceiveWindow: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseWithError(0, "")
	s, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(b.header())
	s.Close()
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	case <-ctx.Done():
		t.Error("the request waits still")
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
