package inbound

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// inBubble runs a server on a network in memory, and ends it with stop.
func inBubble(t *testing.T, o Options) (s *Server, open func() (net.Conn, *bufio.Reader)) {
	n := memnet.New()
	l, err := n.Listen("a:80")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, o), func() (net.Conn, *bufio.Reader) {
		c, err := n.DialContext(t.Context(), "tcp", "a:80")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, bufio.NewReader(c)
	}
}

// TestBounds checks the exact time limits.
func TestBounds(t *testing.T) {
	const header, keep = 7 * time.Second, 60 * time.Second
	for name, c := range map[string]struct {
		say   []string // a second apart
		hear  int
		after time.Duration // since the last was said
	}{
		"nothing":            {nil, 0, header},
		"half a header":      {[]string{"GET / HT"}, 0, header},
		"a header in drops":  {[]string{"G", "E", "T", " ", "/", " ", "H"}, 0, header - 6*time.Second},
		"a second request":   {[]string{get}, 1, keep},
		"half of a second":   {[]string{get, "GET"}, 1, header},
		"after many seconds": {[]string{get, get, get, get, get}, 5, keep},
		"empty lines":        {[]string{get, "\r\n"}, 1, header},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, open := inBubble(t, Options{
					Header: header, KeepAlive: keep,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}),
				})
				nc, br := open()
				for i, text := range c.say {
					if i > 0 {
						time.Sleep(time.Second)
					}
					say(t, nc, text)
				}
				began := time.Now()
				for range c.hear {
					if got := hear(t, br); got != "200 " {
						t.Fatalf("got %q", got)
					}
				}
				_, err := br.ReadByte()
				if took := time.Since(began); err != io.EOF || took != c.after {
					t.Errorf("the end came after %v (%v), want %v", took, err, c.after)
				}
			})
		})
	}
}

// TestDeadlines checks that a handler's own deadlines apply, and only to its request.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, open := inBubble(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			if r.ContentLength > 0 {
				rc.SetReadDeadline(time.Now().Add(3 * time.Second))
				began := time.Now()
				_, err := io.ReadAll(r.Body)
				fmt.Fprint(w, deadline.Exceeded(err), " ", time.Since(began))
				return
			}
			rc.SetWriteDeadline(time.Now().Add(2 * time.Second))
		})})
		nc, br := open()
		say(t, nc, get)
		hear(t, br)
		time.Sleep(time.Minute)
		say(t, nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
		if got := hear(t, br); got != "200 true 3s" {
			t.Errorf("got %q", got)
		}
	})
}

// TestShutdown checks the effect of a shutdown on connections: an idle one ends at
// once, one with a request after its answer, and a new one has a moment for its first
// request.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, open := inBubble(t, Options{
			Header: 10 * time.Second, KeepAlive: time.Hour,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(5 * time.Second)
				}
				io.WriteString(w, "served")
			}),
		})
		idle, idleBR := open()
		say(t, idle, get)
		hear(t, idleBR)
		old, oldBR := open()
		say(t, old, get)
		hear(t, oldBR)
		time.Sleep(10 * time.Second) // it has given up its stack by now
		slow, slowBR := open()
		say(t, slow, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
		fresh, freshBR := open()
		silent, silentBR := open()
		_ = silent
		synctest.Wait()

		began := time.Now()
		done := make(chan error)
		go func() { done <- s.Shutdown(t.Context()) }()
		for name, br := range map[string]*bufio.Reader{"idle": idleBR, "old": oldBR} {
			if _, err := br.ReadByte(); err != io.EOF || time.Since(began) != 0 {
				t.Errorf("%s: got %v after %v", name, err, time.Since(began))
			}
		}
		time.Sleep(firstRequest / 2)
		say(t, fresh, get)
		res, err := http.ReadResponse(freshBR, nil)
		if err != nil || res.StatusCode != 200 || !res.Close {
			t.Errorf("fresh: got %+v, %v, want an answer that says close", res, err)
		}
		if _, err := silentBR.ReadByte(); err != io.EOF || time.Since(began) != firstRequest {
			t.Errorf("silent: got %v after %v", err, time.Since(began))
		}
		if got := hear(t, slowBR); got != "200 served" {
			t.Errorf("slow: got %q", got)
		}
		if err := <-done; err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("Shutdown: got %v after %v", err, time.Since(began))
		}
	})
}

// TestShutdownInTime checks that Shutdown waits no longer than allowed, and that Close
// ends the remaining connections.
func TestShutdownInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan bool)
		s, open := inBubble(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(gone)
		})})
		nc, _ := open()
		say(t, nc, get)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		s.Close()
		<-gone
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A body that is still read after the last answer does not keep the connection: its end
// may never arrive.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var readers sync.WaitGroup
		_, open := inBubble(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			readers.Go(func() { io.Copy(io.Discard, r.Body) })
			synctest.Wait() // it waits for the client
			w.Header().Set("Connection", "close")
			io.WriteString(w, "early")
		})})
		c, br := open()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive.")
		began := time.Now()
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "early" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
		c.SetReadDeadline(began.Add(time.Hour))
		if _, err := br.ReadByte(); err != io.EOF {
			t.Errorf("behind the answer: got %v, want EOF", err)
		}
		io.WriteString(c, "more.")
		synctest.Wait()
		time.Sleep(2 * lingerTime)
		if _, err := io.WriteString(c, "more"); err == nil {
			t.Error("the connection is still open after the time to linger")
		}
		readers.Wait()
	})
}

// TestAge checks that a connection ends with the first answer after its maximum age,
// and with none before.
func TestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, open := inBubble(t, Options{Age: 10 * time.Second, KeepAlive: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})})
		c, br := open()
		for second := range 12 {
			say(t, c, get)
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatalf("after %d s: %v", second, err)
			}
			if second < 9 && res.Close || second > 10 && !res.Close {
				t.Errorf("after %d s: Connection: close is %v", second, res.Close)
			}
			if res.Close {
				break
			}
			time.Sleep(time.Second)
		}
	})
}

// A connection ends with the answer to its last allowed request.
func TestRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, open := inBubble(t, Options{Requests: 3, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})})
		for range 2 {
			c, br := open()
			for n := 1; n <= 3; n++ {
				say(t, c, get)
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Fatalf("request %d: %v", n, err)
				}
				if res.Close != (n == 3) {
					t.Errorf("request %d: Connection: close is %v", n, res.Close)
				}
			}
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("after the last request: got %v, want EOF", err)
			}
		}
	})
}
