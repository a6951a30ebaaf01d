package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
)

// bounds are the limits of the tests in fake time.
const (
	headerBound   = 5 * time.Second
	idleBound     = 7 * time.Second
	continueBound = 3 * time.Second
)

// inBubble runs a client against a server in fake time, over in-memory connections, and
// waits for both.
func inBubble(t *testing.T, serve func(*memnet.Conn), client func(t *testing.T, tr *Transport)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dial, stop := memServer(t, serve)
		defer stop()
		tr := New(Options{
			Dial: dial, MaxIdle: 8, KeepAlive: time.Minute,
			ResponseHeader: headerBound, Idle: idleBound, Continue: continueBound,
		})
		defer tr.Close()
		client(t, tr)
	})
}

// wantError checks an error and the fake time since start.
func wantError(t *testing.T, err error, phase Phase, kind Kind, start time.Time, after time.Duration) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Phase != phase || e.Kind != kind {
		t.Errorf("got %v, want %v: %v", err, phase, kind)
	}
	if got := time.Since(start); got != after {
		t.Errorf("ended after %v, want %v", got, after)
	}
}

func TestHeaderBound(t *testing.T) {
	t.Parallel()
	f := func(name string, serve func(*memnet.Conn, *bufio.Reader), after time.Duration) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				br := bufio.NewReader(c)
				readRequest(br)
				io.WriteString(c, okResponse)
				readRequest(br)
				serve(c, br)
				io.Copy(io.Discard, c)
			}, func(t *testing.T, tr *Transport) {
				get(t, tr, nil)
				time.Sleep(2 * time.Second) // the first request's wake-up is too early for the second
				start := time.Now()
				var x Call
				_, err := tr.RoundTrip(request(t, "GET", ""), &x)
				wantError(t, err, PhaseHeader, Timeout, start, after)
				if !x.Reused || x.IdleFor != 2*time.Second || x.End() != TimedOut || tr.Idle() != 0 {
					t.Errorf("got %s, %d idle", describe(&x), tr.Idle())
				}
			})
		})
	}
	f("silence", func(*memnet.Conn, *bufio.Reader) {}, headerBound)
	f("a trickle does not extend it", func(c *memnet.Conn, _ *bufio.Reader) {
		for _, b := range []byte("HTTP/1.1 200 OK\r\n") {
			time.Sleep(time.Second)
			c.Write([]byte{b})
		}
	}, headerBound)
	f("nor does an informational response", func(c *memnet.Conn, _ *bufio.Reader) {
		time.Sleep(4 * time.Second)
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
	}, headerBound)
}

func TestHeaderBoundBeginsWithTheLastByteWritten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		io.Copy(io.Discard, c)
	}, func(t *testing.T, tr *Transport) {
		pr, pw := io.Pipe()
		go func() {
			for range 3 {
				time.Sleep(20 * time.Second)
				io.WriteString(pw, "part")
			}
			pw.Close()
		}()
		r := request(t, "POST", "")
		r.Body, r.ContentLength = pr, -1
		start := time.Now()
		_, err := tr.RoundTrip(r, nil)
		wantError(t, err, PhaseHeader, Timeout, start, time.Minute+headerBound)
	})
}

func TestIdleBoundOfAResponse(t *testing.T) {
	t.Parallel()
	f := func(name, head string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				readRequest(bufio.NewReader(c))
				io.WriteString(c, head)
				for range 3 { // slower than the wake-ups, faster than the bound
					time.Sleep(idleBound - time.Second)
					io.WriteString(c, "1\r\nx\r\n")
				}
				io.Copy(io.Discard, c)
			}, func(t *testing.T, tr *Transport) {
				start := time.Now()
				res, err := tr.RoundTrip(request(t, "GET", ""), nil)
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.Copy(io.Discard, res.Body)
				wantError(t, err, PhaseBody, Timeout, start, 3*(idleBound-time.Second)+idleBound)
				if _, again := res.Body.Read(make([]byte, 1)); again != err {
					t.Errorf("a second Read: got %v, want %v", again, err)
				}
			})
		})
	}
	f("length", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
	f("chunked", chunkedHead)
	f("until close", "HTTP/1.1 200 OK\r\n\r\n")
}

func TestIdleBoundDoesNotCountTheReadersPauses(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		readRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000))
		io.Copy(io.Discard, c)
	}, func(t *testing.T, tr *Transport) {
		res, err := tr.RoundTrip(request(t, "GET", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10000)
		for range 10 {
			time.Sleep(10 * idleBound)
			if _, err := io.ReadFull(res.Body, buf); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := res.Body.Read(buf); err != io.EOF || tr.Idle() != 1 {
			t.Errorf("got %v, %d idle; want EOF, 1 idle", err, tr.Idle())
		}
	})
}

func TestIdleBoundOfARequest(t *testing.T) {
	t.Parallel()
	f := func(name string, body io.ReadCloser, length int64, reads int) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				buf := make([]byte, 10000)
				for range reads {
					time.Sleep(idleBound - time.Second)
					io.ReadFull(c, buf)
				}
				time.Sleep(time.Hour)
			}, func(t *testing.T, tr *Transport) {
				r := request(t, "POST", "")
				r.Body, r.ContentLength = body, length
				moved := time.Duration(reads) * (idleBound - time.Second)
				start := time.Now()
				var x Call
				_, err := tr.RoundTrip(r, &x)
				took := time.Since(start)
				wantError(t, err, PhaseWrite, Timeout, start, took)
				// A write does not report when bytes moved, only that they did.
				if took < moved+idleBound || took > moved+2*idleBound {
					t.Errorf("ended %v after the last byte moved, want %v to %v", took-moved, idleBound, 2*idleBound)
				}
				if x.End() != TimedOut {
					t.Errorf("got end %v, want %v", x.End(), TimedOut)
				}
			})
		})
	}
	const size = 1 << 20
	big := strings.Repeat("x", size)
	f("streaming", streaming(big), size, 0)
	f("in memory", NewBody([]byte(big)), size, 0)
	f("in memory, small", NewBody([]byte(big[:inlineBody])), inlineBody, 0)
	f("moving until then", streaming(big), size, 3)
}

func TestContinueBound(t *testing.T) {
	t.Parallel()
	f := func(name string, body io.ReadCloser, serve func(*memnet.Conn), after time.Duration) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				br := bufio.NewReader(c)
				r, err := http.ReadRequest(br)
				if err != nil {
					t.Error(err)
					return
				}
				serve(c)
				b, err := io.ReadAll(r.Body)
				if err != nil || string(b) != "hello" {
					t.Errorf("the server read %q, %v", b, err)
				}
				io.WriteString(c, okResponse)
				readRequest(br)
			}, func(t *testing.T, tr *Transport) {
				r := request(t, "POST", "")
				r.Body, r.ContentLength = body, 5
				r.Header.Set("Expect", "100-continue")
				start := time.Now()
				var infos []int
				res, err := tr.RoundTrip(r, &Call{Got1xx: func(code int, _ textproto.MIMEHeader) error {
					infos = append(infos, code)
					return nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				if got := time.Since(start); got != after {
					t.Errorf("took %v, want %v", got, after)
				}
				if tr.Idle() != 1 {
					t.Errorf("got %d idle, want 1", tr.Idle())
				}
			})
		})
	}
	ask := func(d time.Duration) func(*memnet.Conn) {
		return func(c *memnet.Conn) {
			time.Sleep(d)
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
	}
	f("asked for", streaming("hello"), ask(time.Second), time.Second)
	f("asked for, in memory", NewBody([]byte("hello")), ask(time.Second), time.Second)
	f("silence", streaming("hello"), func(*memnet.Conn) {}, continueBound)
	f("silence, in memory", NewBody([]byte("hello")), func(*memnet.Conn) {}, continueBound)
	f("103 first", streaming("hello"), func(c *memnet.Conn) {
		time.Sleep(time.Second)
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
		ask(time.Second)(c)
	}, 2*time.Second)
	f("asked for too late", streaming("hello"), ask(continueBound+time.Second), continueBound+time.Second)
}

func TestContinueRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
		if b, _ := io.ReadAll(c); len(b) > 0 {
			t.Errorf("the body was sent: %q", b)
		}
	}, func(t *testing.T, tr *Transport) {
		r := request(t, "POST", "hello")
		r.Header.Set("Expect", "100-continue")
		res, err := tr.RoundTrip(r, nil)
		if err != nil || res.StatusCode != 417 || tr.Idle() != 0 {
			t.Errorf("got %v, %v, %d idle", res, err, tr.Idle())
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	cause := errors.New("the client has gone")
	f := func(name string, phase Phase, prepare func(*http.Request), serve func(*memnet.Conn)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, serve, func(t *testing.T, tr *Transport) {
				ctx, cancel := context.WithCancelCause(t.Context())
				r := request(t, "POST", "").WithContext(ctx)
				prepare(r)
				time.AfterFunc(time.Second, func() { cancel(cause) })
				start := time.Now()
				res, err := tr.RoundTrip(r, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
				}
				wantError(t, err, phase, Canceled, start, time.Second)
				if !errors.Is(err, cause) {
					t.Errorf("got %v, want the cause in it", err)
				}
				if tr.Idle() != 0 {
					t.Errorf("got %d idle, want 0", tr.Idle())
				}
			})
		})
	}
	nothing := func(*http.Request) {}
	hang := func(*memnet.Conn) { time.Sleep(time.Minute) }
	f("before the header", PhaseHeader, nothing, hang)
	f("in the header", PhaseHeader, nothing, func(c *memnet.Conn) {
		io.WriteString(c, "HTTP/1.1 2")
		hang(c)
	})
	f("in the body", PhaseBody, nothing, func(c *memnet.Conn) {
		io.WriteString(c, chunkedHead)
		hang(c)
	})
	f("while writing", PhaseWrite, func(r *http.Request) {
		r.Body = NewBody(make([]byte, inlineBody))
		r.ContentLength = inlineBody
	}, hang)
	f("while streaming", PhaseHeader, func(r *http.Request) {
		r.Body, r.ContentLength = streaming(strings.Repeat("x", 1<<20)), -1
	}, hang)
	f("while the request's body waits", PhaseHeader, func(r *http.Request) {
		r.Body, _ = io.Pipe()
		r.ContentLength = -1
	}, hang)
	f("while waiting for 100", PhaseHeader, func(r *http.Request) {
		r.Body, r.ContentLength = NewBody([]byte("hello")), 5
		r.Header.Set("Expect", "100-continue")
	}, hang)
}

func TestCanceledBeforeDial(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tr := New(Options{Dial: func(context.Context) (net.Conn, error) {
		t.Error("dialed")
		return nil, io.EOF
	}})
	_, err := tr.RoundTrip(request(t, "GET", "").WithContext(ctx), nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Phase != PhaseDial || e.Kind != Canceled {
		t.Errorf("got %v, want %v: %v", err, PhaseDial, Canceled)
	}
}

func TestCancelAfterTheEndHasNoEffect(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		br := bufio.NewReader(c)
		for {
			if _, _, err := readRequest(br); err != nil {
				return
			}
			io.WriteString(c, okResponse)
		}
	}, func(t *testing.T, tr *Transport) {
		for i := range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			var x Call
			res, err := tr.RoundTrip(request(t, "GET", "").WithContext(ctx), &x)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			cancel()
			res.Body.Close()
			if x.Reused != (i > 0) {
				t.Errorf("request %d: reused %t", i, x.Reused)
			}
		}
	})
}

func TestDialErrorIsReturnedUnchanged(t *testing.T) {
	t.Parallel()
	want := errors.New("no way")
	tr := New(Options{Dial: func(context.Context) (net.Conn, error) { return nil, want }})
	if _, err := tr.RoundTrip(request(t, "GET", ""), nil); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestEndWhileWriting: the end of the context ends the write of a body in memory that the
// upstream does not read, at once or soon, even on a connection whose earlier deadline
// has passed.
func TestEndWhileWriting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var upstream net.Conn
		tr := New(Options{MaxIdle: 1, Idle: idleBound, Dial: func(context.Context) (net.Conn, error) {
			var c net.Conn
			c, upstream = net.Pipe() // it buffers nothing
			go func(c net.Conn) {
				br := bufio.NewReader(c)
				if _, err := http.ReadRequest(br); err == nil {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			}(upstream)
			return c, nil
		}})
		defer tr.Close()
		res, err := tr.RoundTrip(request(t, "GET", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(time.Second, cancel)
		_, err = tr.RoundTrip(request(t, "POST", strings.Repeat("x", 32<<10)).WithContext(ctx), nil)
		wantError(t, err, PhaseWrite, Canceled, start, time.Second)
		upstream.Close()
	})
}
