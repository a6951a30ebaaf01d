package http1

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
	"github.com/goodgate/goodgate/internal/wire/header"
)

// memAnswer is answer for connections in memory.
func memAnswer(text string) func(*memnet.Conn) {
	return func(c *memnet.Conn) {
		br := bufio.NewReader(c)
		for {
			if _, _, err := readRequest(br); err != nil {
				return
			}
			io.WriteString(c, text)
		}
	}
}

func TestIdleConnectionsAreClosedByAge(t *testing.T) {
	t.Parallel()
	f := func(name, response string, age time.Duration) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, memAnswer(response), func(t *testing.T, tr *Transport) {
				get(t, tr, nil)
				time.Sleep(age - 1)
				synctest.Wait()
				if got := tr.Idle(); got != 1 {
					t.Errorf("before %v: %d idle, want 1", age, got)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got := tr.Idle(); got != 0 {
					t.Errorf("after %v: %d idle, want 0", age, got)
				}
			})
		})
	}
	said := func(field string) string {
		return "HTTP/1.1 200 OK\r\nKeep-Alive: " + field + "\r\nContent-Length: 2\r\n\r\nok"
	}
	f("KeepAlive", okResponse, time.Minute)
	f("Keep-Alive: 5", said("timeout=5"), 4*time.Second)
	f("Keep-Alive: 5 among others", said("max=100, Timeout=5"), 4*time.Second)
	f("Keep-Alive: 20", said("timeout=20"), 16*time.Second)
	f("Keep-Alive: 1", said("timeout=1"), time.Second/2)
	f("Keep-Alive: 3600", said("timeout=3600"), time.Minute)
	f("Keep-Alive: 0", said("timeout=0"), time.Minute)
	f("Keep-Alive: garbage", said("timeout=x"), time.Minute)
}

func TestMaxIdle(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		br := bufio.NewReader(c)
		for {
			if _, _, err := readRequest(br); err != nil {
				return
			}
			time.Sleep(time.Second)
			io.WriteString(c, okResponse)
		}
	}, func(t *testing.T, tr *Transport) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { get(t, tr, nil) })
		}
		wg.Wait()
		if got := tr.Idle(); got != 8 {
			t.Errorf("%d idle, want MaxIdle, 8", got)
		}
		tr.Close()
		if got := tr.Idle(); got != 0 {
			t.Errorf("%d idle after Close, want 0", got)
		}
		get(t, tr, nil)
		if got := tr.Idle(); got != 0 {
			t.Errorf("%d idle after Close and a request, want 0", got)
		}
	})
}

func TestMostRecentlyUsedFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, memAnswer(okResponse), func(t *testing.T, tr *Transport) {
		one, err1 := tr.RoundTrip(request(t, "GET", ""), nil)
		two, err2 := tr.RoundTrip(request(t, "GET", ""), nil)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		io.Copy(io.Discard, one.Body)
		time.Sleep(10 * time.Second)
		io.Copy(io.Discard, two.Body)
		time.Sleep(time.Second)
		var x Call
		get(t, tr, &x)
		if x.IdleFor != time.Second {
			t.Errorf("took the one idle for %v, want 1s", x.IdleFor)
		}
	})
}

// TestDeadIdleConnectionsAreSkipped has the upstream close or reset idle connections, or
// send bytes on them.
func TestDeadIdleConnectionsAreSkipped(t *testing.T) {
	t.Parallel()
	f := func(name string, end func(*net.TCPConn)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int32
			idle, ended := make(chan struct{}), make(chan struct{})
			addr := serveRaw(t, func(c *net.TCPConn) {
				br := bufio.NewReader(c)
				first := conns.Add(1) == 1
				for {
					if _, _, err := readRequest(br); err != nil {
						return
					}
					io.WriteString(c, okResponse)
					if first {
						<-idle
						end(c)
						close(ended)
						io.Copy(io.Discard, c)
						return
					}
				}
			})
			tr := transport(t, addr)
			get(t, tr, nil)
			close(idle)
			<-ended
			r := request(t, "POST", "hello")
			var x Call
			res, err := tr.RoundTrip(r, &x)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			if x.Reused || conns.Load() != 2 {
				t.Errorf("reused %t, %d connections; want a new one", x.Reused, conns.Load())
			}
		})
	}
	f("closed", fin)
	f("half closed", func(c *net.TCPConn) { c.CloseWrite() })
	f("reset", rst)
	f("junk", func(c *net.TCPConn) { io.WriteString(c, "junk") })
	f("unasked response", func(c *net.TCPConn) {
		io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
	})
}

// TestUnwrittenRequestIsRetried has connections whose end shows only at a write: the call
// takes the next one, for any method.
func TestUnwrittenRequestIsRetried(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	inBubble(t, func(c *memnet.Conn) {
		br := bufio.NewReader(c)
		readRequest(br)
		time.Sleep(time.Second)
		io.WriteString(c, okResponse)
		if conns.Add(1) <= 3 {
			time.Sleep(time.Second)
			return
		}
		readRequest(br)
	}, func(t *testing.T, tr *Transport) {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { get(t, tr, nil) })
		}
		wg.Wait()
		time.Sleep(2 * time.Second)
		if got := tr.Idle(); got != 3 {
			t.Fatalf("%d idle, want 3", got)
		}
		var x Call
		r := request(t, "POST", "")
		r.Body, r.ContentLength = &countedBody{Reader: streaming("hello"), t: t}, 5
		res, err := tr.RoundTrip(r, &x)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if x.Reused || x.End() != NoEnd {
			t.Errorf("got %s, want a new connection", describe(&x))
		}
	})
}

func TestLearnedLifetime(t *testing.T) {
	t.Parallel()
	f := func(name string, ages []time.Duration, want time.Duration) {
		t.Helper()
		var l lifetime
		for _, a := range ages {
			l.closed(a)
		}
		if got := l.within(time.Minute); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	const s = time.Second
	f("nothing", nil, time.Minute)
	f("a restart", []time.Duration{5 * s}, time.Minute)
	f("two restarts", []time.Duration{5 * s, 5 * s}, time.Minute)
	f("a rule", []time.Duration{6 * s, 5 * s, 5*s + s/2}, 4*s)
	f("no rule", []time.Duration{5 * s, 9 * s, 5 * s}, time.Minute)
	f("a rule at last", []time.Duration{1 * s, 40 * s, 20 * s, 20 * s, 21 * s}, 16*s)
	f("longer than configured", []time.Duration{300 * s, 300 * s, 300 * s}, time.Minute)

	var l lifetime
	var h header.Head
	h.Add("Keep-Alive", "timeout=10")
	l.heard(&h)
	for range 3 {
		l.closed(2 * s)
	}
	if got := l.within(0); got != 8*s {
		t.Errorf("what is said and what is seen: got %v, want 8s", got)
	}
}

// TestManyOverFew has many goroutines share few connections, and checks that each gets
// the answer to its own request.
func TestManyOverFew(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	addr := serveRaw(t, func(c *net.TCPConn) {
		conns.Add(1)
		br := bufio.NewReader(c)
		for served := 0; ; served++ {
			r, body, err := readRequest(br)
			if err != nil {
				return
			}
			text := r.Header.Get("X-Id") + body
			switch served % 7 {
			case 3:
				io.WriteString(c, chunkedHead+"40\r\n"+text+"\r\n0\r\n\r\n")
			case 6:
				io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+text)
				return
			default:
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n"+text)
			}
		}
	})
	tr := transport(t, addr, func(o *Options) { o.MaxIdle = 4 })
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 100 {
				id := []byte("0123456789abcdef0123456789abcdef")
				id[0], id[1], id[2] = 'A'+byte(g), 'A'+byte(i/10), 'A'+byte(i%10)
				r := request(t, "POST", string(id))
				r.Header.Set("X-Id", string(id))
				if i%3 == 0 {
					r.Body = streaming(string(id))
				}
				res, err := tr.RoundTrip(r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if i%11 == 0 {
					res.Body.Close() // without reading
					continue
				}
				if b, err := io.ReadAll(res.Body); string(b) != string(id)+string(id) || err != nil {
					t.Errorf("got %q, %v; want %q twice", b, err, id)
				}
				res.Body.Close()
			}
		})
	}
	wg.Wait()
	if got := tr.Idle(); got > 4 {
		t.Errorf("%d idle, want at most 4", got)
	}
}

// A request that cannot be sent again does not use a connection that the upstream may be
// closing now. Any other request may.
func TestUnrepeatableRequestAvoidsOldConnections(t *testing.T) {
	t.Parallel()
	inBubble(t, memAnswer(okResponse), func(t *testing.T, tr *Transport) {
		f := func(age time.Duration, careful, want bool) {
			t.Helper()
			time.Sleep(age)
			x := &Call{Careful: careful}
			get(t, tr, x)
			if x.Reused != want {
				t.Errorf("after %v, careful %t: reused %t, want %t", age, careful, x.Reused, want)
			}
		}
		f(0, true, false)
		f(time.Second, true, true)
		f(time.Second+1, true, false)
		f(time.Second+1, false, true)
		for range 3 { // learned: the upstream closes after 100 ms
			tr.pool.life.closed(100 * time.Millisecond)
		}
		f(0, true, true)
		f(tr.pool.life.careful(), true, true)
		f(tr.pool.life.careful()+1, true, false)
	})
}

// TestLateBodies: the body of a response that must have none is not the next answer if it
// comes before the next use of the connection. A later one would be; see
// docs/security.md.
func TestLateBodies(t *testing.T) {
	t.Parallel()
	for method, head := range map[string]string{
		"HEAD": "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n",
		"GET":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\n",
		"PUT":  "HTTP/1.1 204 No Content\r\n\r\n",
	} {
		answered, late := make(chan struct{}), make(chan struct{})
		var served atomic.Bool
		addr := serveRaw(t, func(c *net.TCPConn) {
			br := bufio.NewReader(c)
			if _, _, err := readRequest(br); err != nil {
				return
			}
			if served.Swap(true) {
				io.WriteString(c, okResponse)
				readRequest(br)
				return
			}
			io.WriteString(c, head)
			<-answered
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			close(late)
			readRequest(br)
		})
		tr := transport(t, addr, func(*Options) {})
		res, err := tr.RoundTrip(request(t, method, ""), nil)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		res.Body.Close()
		close(answered)
		<-late
		res, err = tr.RoundTrip(request(t, "GET", ""), nil)
		if err != nil {
			t.Fatalf("after %s: %v", method, err)
		}
		if body, err := io.ReadAll(res.Body); string(body) != "ok" || err != nil {
			t.Errorf("after %s: got %q, %v", method, body, err)
		}
		tr.Close()
	}
}
