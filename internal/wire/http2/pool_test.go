package http2

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/internal/lab/memnet"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// upstream serves connections frame by frame, and counts them.
type upstream struct {
	t    *testing.T
	l    net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex // protects the fields below
	all  int
	open int
	most int // open at the same time
}

// serve runs f for each connection, counted from 1, after its preface was read.
func serve(t *testing.T, network *memnet.Network, f func(n int, fr *http2.Framer)) *upstream {
	t.Helper()
	l, err := network.Listen("app:80")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{t: t, l: l}
	u.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			u.mu.Lock()
			u.all++
			n := u.all
			u.open++
			u.most = max(u.most, u.open)
			u.mu.Unlock()
			u.wg.Go(func() {
				defer nc.Close()
				io.ReadFull(nc, make([]byte, len(http2.ClientPreface)))
				f(n, http2.NewFramer(nc, nc))
				io.Copy(io.Discard, nc)
				u.mu.Lock()
				u.open--
				u.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		u.wg.Wait()
	})
	return u
}

func (u *upstream) counts() (all, most int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all, u.most
}

func (u *upstream) nowOpen() int {
	synctest.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open
}

// request reads up to the next request without a body and returns its stream, 0 at
// the end of the connection.
func request(fr *http2.Framer) uint32 {
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return 0
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				fr.WritePing(true, f.Data)
			}
		case *http2.HeadersFrame:
			return f.StreamID
		}
	}
}

// noContent204 answers a request: the header is that of the static table.
func noContent204(fr *http2.Framer, stream uint32) {
	fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x89}, EndHeaders: true, EndStream: true})
}

// bubble runs f with a transport to an upstream, and checks that nothing is left
// of it.
func bubble(t *testing.T, o Options, script func(n int, fr *http2.Framer), f func(t *testing.T, tr *Transport, u *upstream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New()
		u := serve(t, network, script)
		o.Dial = func(ctx context.Context) (net.Conn, error) { return network.DialContext(ctx, "tcp", "app:80") }
		tr := New(o)
		defer tr.Close()
		f(t, tr, u)
	})
}

func get(t *testing.T, ctx context.Context, tr *Transport) (int, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", "http://app/", nil)
	if err != nil {
		t.Error(err)
		return 0, err
	}
	res, err := tr.RoundTrip(r, nil)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}

// There is a bound on connections, beyond which requests wait for a stream. They
// get it in turn.
func TestConnectionsAreBounded(t *testing.T) {
	f := func(name string, o Options, allowed int, settings ...http2.Setting) {
		t.Run(name, func(t *testing.T) {
			o.MaxConns = 5
			bubble(t, o, func(_ int, fr *http2.Framer) {
				fr.WriteSettings(settings...)
				for stream := request(fr); stream != 0; stream = request(fr) {
					time.Sleep(time.Second)
					noContent204(fr, stream)
				}
			}, func(t *testing.T, tr *Transport, u *upstream) {
				get(t, t.Context(), tr) // the limit is known from here on
				began := time.Now()
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						if code, err := get(t, t.Context(), tr); code != 204 {
							t.Errorf("got %d, %v", code, err)
						}
					})
				}
				wg.Wait()
				if got := time.Since(began); got != 4*time.Second {
					t.Errorf("took %v, want 4s", got)
				}
				if _, most := u.counts(); most < 5 || most > allowed {
					t.Errorf("connections at once: got %d, want 5 to %d", most, allowed)
				}
			})
		})
	}
	f("one stream each", Options{}, 5, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	f("one request each", Options{Single: true}, 10) // the upstream may see the end of some later than the beginning of others
}

// No request waits forever for a stream, and a request that gives up leaves its turn to
// others.
func TestWaitForStreamEnds(t *testing.T) {
	o := Options{MaxConns: 1, Wait: 3 * time.Second}
	bubble(t, o, func(_ int, fr *http2.Framer) {
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		for stream := request(fr); stream != 0; stream = request(fr) {
			for range 10 { // it is alive
				time.Sleep(time.Second)
				fr.WritePing(false, [8]byte{})
			}
			noContent204(fr, stream)
		}
	}, func(t *testing.T, tr *Transport, u *upstream) {
		var wg sync.WaitGroup
		wg.Go(func() { get(t, t.Context(), tr) })
		synctest.Wait()
		began := time.Now()
		_, err := get(t, t.Context(), tr)
		if failed, ok := errors.AsType[*http1.Error](err); !ok || failed.Kind != http1.Refused || time.Since(began) != o.Wait {
			t.Errorf("after %v: got %v, want it refused after %v", time.Since(began), err, o.Wait)
		}
		time.Sleep(5 * time.Second) // two more until the stream is free
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wg.Go(func() {
			if _, err := get(t, ctx, tr); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the end of the context", err)
			}
		})
		synctest.Wait()
		if code, err := get(t, t.Context(), tr); code != 204 {
			t.Errorf("next in turn: got %d, %v", code, err)
		}
		wg.Wait()
		if all, _ := u.counts(); all != 1 {
			t.Errorf("connections: got %d, want 1", all)
		}
	})
}

// A transport that is closed ends the requests that wait.
func TestCloseEndsWaiting(t *testing.T) {
	bubble(t, Options{MaxConns: 1}, func(_ int, fr *http2.Framer) {
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		for request(fr) != 0 {
		}
	}, func(t *testing.T, tr *Transport, _ *upstream) {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if code, err := get(t, t.Context(), tr); err == nil {
					t.Errorf("got %d, want an error", code)
				}
			})
		}
		synctest.Wait()
		tr.Close()
		wg.Wait()
		if code, err := get(t, t.Context(), tr); err == nil {
			t.Errorf("afterwards: got %d, want an error", code)
		}
	})
}

// A retired transport aborts no requests: those in flight end normally, those that wait
// and those that still arrive are served, and each connection ends with its last
// request.
func TestRetire(t *testing.T) {
	f := func(name string, o Options) {
		t.Run(name, func(t *testing.T) {
			o.MaxConns = 2
			bubble(t, o, func(n int, fr *http2.Framer) {
				if n > 1 {
					time.Sleep(time.Second)
				}
				fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
				for stream := request(fr); stream != 0; stream = request(fr) {
					fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true})
					fr.WriteData(stream, false, []byte("begun,"))
					time.Sleep(3 * time.Second)
					fr.WriteData(stream, true, []byte("done"))
				}
			}, func(t *testing.T, tr *Transport, u *upstream) {
				var wg sync.WaitGroup
				whole := func(what string) {
					wg.Go(func() {
						r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://app/", nil)
						res, err := tr.RoundTrip(r, nil)
						if err != nil {
							t.Errorf("%s: %v", what, err)
							return
						}
						defer res.Body.Close()
						if body, err := io.ReadAll(res.Body); string(body) != "begun,done" || err != nil {
							t.Errorf("%s: got %q, %v", what, body, err)
						}
					})
				}
				whole("under way")
				synctest.Wait()
				whole("connecting")
				whole("waiting")
				synctest.Wait()
				tr.Retire()
				whole("late")
				wg.Wait()
				time.Sleep(2 * minRest)
				if u.nowOpen() != 0 {
					t.Errorf("connections left: got %d, want 0", u.nowOpen())
				}
				whole("much later")
				time.Sleep(time.Second + minRest)
				if u.nowOpen() != 1 {
					t.Errorf("connections with a request: got %d, want 1", u.nowOpen())
				}
				wg.Wait()
				time.Sleep(2 * minRest)
				if u.nowOpen() != 0 {
					t.Errorf("connections left at last: got %d, want 0", u.nowOpen())
				}
			})
		})
	}
	f("kept for ever", Options{})
	f("kept for long", Options{KeepAlive: time.Hour})
	f("one request each", Options{Single: true})
}

// A request that was given up does not keep the connection of a retired transport,
// even where the upstream says nothing any more.
func TestRetireDead(t *testing.T) {
	bubble(t, Options{KeepAlive: time.Hour}, func(_ int, fr *http2.Framer) {
		fr.WriteSettings()
		request(fr)
	}, func(t *testing.T, tr *Transport, u *upstream) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { get(t, ctx, tr) })
		synctest.Wait()
		tr.Retire()
		time.Sleep(time.Second)
		if u.nowOpen() != 1 {
			t.Errorf("with a request: got %d connections, want 1", u.nowOpen())
		}
		cancel()
		wg.Wait()
		time.Sleep(2 * minRest)
		if u.nowOpen() != 0 {
			t.Errorf("afterwards: got %d connections, want 0", u.nowOpen())
		}
	})
}

// A connection that takes longer to establish than the idle timeout still serves its
// request.
func TestKeepAliveShorterThanHandshake(t *testing.T) {
	bubble(t, Options{KeepAlive: time.Millisecond}, func(_ int, fr *http2.Framer) {
		time.Sleep(time.Second)
		fr.WriteSettings()
		for stream := request(fr); stream != 0; stream = request(fr) {
			noContent204(fr, stream)
		}
	}, func(t *testing.T, tr *Transport, u *upstream) {
		for range 2 {
			if code, err := get(t, t.Context(), tr); code != 204 {
				t.Errorf("got %d, %v", code, err)
			}
			time.Sleep(minRest + time.Millisecond)
		}
		if all, most := u.counts(); all != 2 || most != 1 {
			t.Errorf("connections: got %d, %d at once, want 2, 1 at once", all, most)
		}
	})
}

// The limit on streams may be lowered between the choice of a connection and the
// request's header. net/http then waits for a stream without a limit.
func TestLimitLoweredTooLate(t *testing.T) {
	bubble(t, Options{Idle: 3 * time.Second}, func(_ int, fr *http2.Framer) {
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		request(fr)
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
		for request(fr) != 0 {
		}
	}, func(t *testing.T, tr *Transport, _ *upstream) {
		c, w := tr.take(false)
		if c == nil {
			<-w.done
			c = w.c
		}
		r, err := http.NewRequest("GET", "http://app/", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.cc.Release()
		first := newStream(c, new(http1.Call), r)
		go first.roundTrip(r)
		synctest.Wait()
		x := new(http1.Call)
		began := time.Now()
		_, failed := newStream(c, x, r).roundTrip(r)
		if failed == nil || failed.Kind != http1.Timeout || time.Since(began) != 3*time.Second {
			t.Errorf("after %v: got %v, want a timeout after 3s", time.Since(began), failed)
		}
	})
}

// An upstream that only writes, and reads no answers to its pings, is abandoned. This
// test uses real sockets: in a bubble, time stands still while a goroutine waits for a
// lock of net/http's.
func TestUpstreamThatReadsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		fr := http2.NewFramer(nc, nil)
		fr.WriteSettings()
		for fr.WritePing(false, [8]byte{}) == nil {
		}
	})
	tr := New(Options{Idle: 100 * time.Millisecond, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}})
	defer tr.Close()
	if code, err := get(t, t.Context(), tr); err == nil {
		t.Errorf("got %d, want an error", code)
	}
}

// If an upstream hangs up before it has sent anything, the failure counts only for it.
func TestHangsUpBeforePreface(t *testing.T) {
	tr := New(Options{Dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		theirs.Close()
		return ours, nil
	}})
	defer tr.Close()
	_, err := get(t, t.Context(), tr)
	if failed, ok := errors.AsType[*http1.Error](err); !ok || failed.Phase != http1.PhaseDial || failed.Kind != http1.Closed {
		t.Errorf("got %v, want the end of the connection", err)
	}
}

// hooked is a context that calls f once, at the begin of a call with it.
type hooked struct {
	context.Context
	f func()
}

func (h *hooked) Value(key any) any {
	if f := h.f; f != nil {
		h.f = nil
		f()
	}
	return h.Context.Value(key)
}

// Facts about a connection that took no part of a request do not apply to the next one.
func TestUndeliveredHoldsForOneConnection(t *testing.T) {
	leave := make(chan struct{})
	bubble(t, Options{}, func(n int, fr *http2.Framer) {
		fr.WriteSettings()
		stream := request(fr)
		if n == 1 {
			noContent204(fr, stream)
			<-leave
			fr.WriteGoAway(stream, http2.ErrCodeNo, nil)
		} else {
			fr.WriteRSTStream(stream, http2.ErrCodeInternal)
		}
		request(fr)
	}, func(t *testing.T, tr *Transport, u *upstream) {
		if code, err := get(t, t.Context(), tr); code != http.StatusNoContent {
			t.Fatal(code, err)
		}
		ctx := &hooked{t.Context(), func() { close(leave); synctest.Wait() }}
		r, err := http.NewRequestWithContext(ctx, "POST", "http://app/", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		x := new(http1.Call)
		_, err = tr.RoundTrip(r, x)
		if all, _ := u.counts(); all != 2 || !x.Sent() {
			t.Fatalf("%d connections, sent %v (%v): want the request on the second one", all, x.Sent(), err)
		}
		if failed, ok := errors.AsType[*http1.Error](err); !ok || failed.Kind != http1.Reset || x.Undelivered {
			t.Errorf("got %v, undelivered %v; want a reset of what was delivered", err, x.Undelivered)
		}
	})
}
