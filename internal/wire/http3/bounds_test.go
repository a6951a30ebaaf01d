//go:build !minimal

package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/limit"
	"github.com/quic-go/quic-go"
)

// TestWithoutRequest: a connection without requests is closed, also if a request begins
// and its header never ends, which quic-go waits for, or if a stream to skip is
// endless.
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
		"frames nobody knows": func(b *bench, c *quic.Conn) {
			s, err := c.OpenStream()
			if err != nil {
				b.t.Fatal(err)
			}
			go func() {
				for err := error(nil); err == nil; {
					_, err = s.Write([]byte{0x21, 3, 'a', 'b', 'c'}) // RFC 9114, section 7.2.8
				}
			}()
		},
		"streams nobody knows": func(b *bench, c *quic.Conn) {
			go func() {
				for {
					s, err := c.OpenUniStreamSync(c.Context())
					if err != nil {
						return
					}
					s.Write([]byte{0x21, 'x'}) // section 6.2.3
					s.CancelWrite(0x100)
				}
			}()
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

// TestKeepalive: a connection is closed some time after its last request, and not while
// one is in flight.
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

// TestCanceledRequests: a client that cancels requests as fast as it sends them has at
// most its allowed number of them running: quic-go admits no other request before a
// cancelled one has ended.
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
			b.serve(Options{Handler: hello, Connections: bound, Header: 5 * time.Second})
			first := b.dial()
			_, err := b.client().Get(b.url())
			if refused, ok := errors.AsType[*quic.TransportError](err); !ok || refused.ErrorCode != quic.ConnectionRefused {
				t.Errorf("one too many: got %v", err)
			}
			first.CloseWithError(0, "")
			// A repeated first packet of a client that has gone takes the room until the time
			// for its handshake has passed.
			b.until("room after the first", func() bool {
				res, err := b.client().Get(b.url())
				return err == nil && res.StatusCode == 200
			})
		})
	}
}

// TestShortOfMemory: no connection is accepted while memory is short, and again after
// that.
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

// TestMissingBody: whether a GET has a body is waited for as long as for
// a header.
func TestMissingBody(t *testing.T) {
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

// TestClientWithoutRoomForHeader: a client without flow control credit for the header
// does not block the request, neither with an informational response nor with a flush.
func TestClientWithoutRoomForHeader(t *testing.T) {
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
