package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
)

// told records each call of Slow, and returns a context.
type told struct {
	start time.Time
	after []time.Duration
	ctx   context.Context
}

func (s *told) Slow() context.Context {
	s.after = append(s.after, time.Since(s.start))
	return s.ctx
}

// TestSlow: every call except the first uses a connection that has a wake-up from an
// earlier call.
func TestSlow(t *testing.T) {
	t.Parallel()
	type step struct {
		slowAt, answer time.Duration // 0 = no SlowAt; an answer at once
		told           bool
	}
	f := func(name string, steps ...step) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				br := bufio.NewReader(c)
				for _, s := range steps {
					if _, _, err := readRequest(br); err != nil {
						return
					}
					time.Sleep(s.answer)
					io.WriteString(c, okResponse)
				}
				readRequest(br)
			}, func(t *testing.T, tr *Transport) {
				for i, s := range steps {
					slow := told{start: time.Now()}
					var x Call
					if s.slowAt > 0 {
						x.Slow, x.SlowAt = &slow, slow.start.Add(s.slowAt)
					}
					get(t, tr, &x)
					if got := time.Since(slow.start); got != s.answer {
						t.Errorf("call %d: answered after %v, want %v", i, got, s.answer)
					}
					if s.told && (len(slow.after) != 1 || slow.after[0] != s.slowAt) || !s.told && slow.after != nil {
						t.Errorf("call %d: told after %v, want %t at %v", i, slow.after, s.told, s.slowAt)
					}
					if x.Reused != (i > 0) {
						t.Errorf("call %d: reused %t", i, x.Reused)
					}
				}
			})
		})
	}
	ms := time.Millisecond
	f("in time", step{20 * ms, 10 * ms, false}, step{20 * ms, 19 * ms, false})
	f("late", step{20 * ms, 50 * ms, true}, step{20 * ms, 21 * ms, true}, step{30 * ms, 4 * time.Second, true})
	f("an old wake-up", step{50 * ms, 10 * ms, false}, step{0, time.Second, false}, step{50 * ms, 10 * ms, false}, step{100 * ms, 200 * ms, true})
	f("not before a shorter bound", step{time.Minute, 4 * time.Second, false})
}

// A Slow that sets SlowAt again is called again, while the connection is made and while
// the call waits for the header.
func TestSlowAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		readRequest(bufio.NewReader(c))
		time.Sleep(time.Second)
		io.WriteString(c, okResponse)
	}, func(t *testing.T, tr *Transport) {
		dial := tr.opts.Dial
		tr.opts.Dial = func(ctx context.Context) (net.Conn, error) {
			time.Sleep(time.Second)
			return dial(ctx)
		}
		start := time.Now()
		var x Call
		var after []time.Duration
		x.SlowAt = start.Add(400 * time.Millisecond)
		x.Slow = asks(func() {
			after = append(after, time.Since(start))
			if len(after) < 4 {
				x.SlowAt = x.SlowAt.Add(400 * time.Millisecond)
			}
		})
		get(t, tr, &x)
		if got, want := fmt.Sprint(after), "[400ms 800ms 1.2s 1.6s]"; got != want || time.Since(start) != 2*time.Second {
			t.Errorf("told after %v, want %v; answered after %v", got, want, time.Since(start))
		}
	})
}

// The call ends with the context that Slow returned, and with the one before.
func TestSlowReturnsAContext(t *testing.T) {
	t.Parallel()
	errLate := errors.New("too late")
	for _, fromSlow := range []bool{true, false} {
		inBubble(t, func(c *memnet.Conn) {
			readRequest(bufio.NewReader(c))
			io.Copy(io.Discard, c)
		}, func(t *testing.T, tr *Transport) {
			start := time.Now()
			outer, cancelOuter := context.WithCancelCause(context.Background())
			inner, cancelInner := context.WithCancelCause(outer)
			cancel := cancelOuter
			if fromSlow {
				cancel = cancelInner
			}
			defer cancelInner(nil)
			timer := time.AfterFunc(time.Second, func() { cancel(errLate) })
			defer timer.Stop()
			x := Call{Slow: &told{start: start, ctx: inner}, SlowAt: start.Add(10 * time.Millisecond)}
			_, err := tr.RoundTrip(request(t, "GET", "").WithContext(outer), &x)
			wantError(t, err, PhaseHeader, Canceled, start, time.Second)
			if !errors.Is(err, errLate) {
				t.Errorf("got %v, want %v", err, errLate)
			}
		})
	}
}

// A connection that takes long to make is slow too.
func TestSlowDial(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		readRequest(bufio.NewReader(c))
		io.WriteString(c, okResponse)
	}, func(t *testing.T, tr *Transport) {
		dial := tr.opts.Dial
		tr.opts.Dial = func(ctx context.Context) (net.Conn, error) {
			select {
			case <-time.After(time.Second):
				return dial(ctx)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		start := time.Now()
		slow := &told{start: start}
		get(t, tr, &Call{Slow: slow, SlowAt: start.Add(20 * time.Millisecond)})
		if len(slow.after) != 1 || slow.after[0] != 20*time.Millisecond || time.Since(start) != time.Second {
			t.Errorf("told after %v, answered after %v", slow.after, time.Since(start))
		}
		tr.Close()

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := tr.RoundTrip(request(t, "GET", ""), &Call{Slow: &told{start: start, ctx: ctx}, SlowAt: start.Add(20 * time.Millisecond)})
		if took := time.Since(start); err == nil || took != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// Over TLS too, a read continues after a wake-up.
func TestSlowTLS(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Slow") != "" {
			<-asked
		}
		io.WriteString(w, "ok")
	}))
	t.Cleanup(s.Close)
	tr := tlsTransport(t, s)
	get(t, tr, nil)
	for range 3 {
		r := request(t, "GET", "")
		r.Header.Set("Slow", "1")
		x := Call{Slow: asks(func() { asked <- struct{}{} }), SlowAt: time.Now().Add(5 * time.Millisecond)}
		res, err := tr.RoundTrip(r, &x)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil || !x.Reused {
			t.Errorf("got %q, %v, reused %t", b, err, x.Reused)
		}
	}
}

type asks func()

func (f asks) Slow() context.Context { f(); return nil }
