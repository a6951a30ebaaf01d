package http1

import (
	"bufio"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
)

// TestCloseBeforeTheEnd checks the connection after a body was closed when a part of it
// was read.
func TestCloseBeforeTheEnd(t *testing.T) {
	t.Parallel()
	f := func(name, response string, read, wantIdle int) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				br := bufio.NewReader(c)
				readRequest(br)
				io.WriteString(c, response)
				readRequest(br)
				io.WriteString(c, okResponse)
				readRequest(br)
			}, func(t *testing.T, tr *Transport) {
				res, err := tr.RoundTrip(request(t, "GET", ""), nil)
				if err != nil {
					t.Fatal(err)
				}
				io.ReadFull(res.Body, make([]byte, read))
				start := time.Now()
				for range 2 {
					if err := res.Body.Close(); err != nil {
						t.Error(err)
					}
				}
				if _, err := res.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
					t.Errorf("Read after Close: got %v", err)
				}
				if took := time.Since(start); took != 0 || tr.Idle() != wantIdle {
					t.Errorf("took %v, %d idle; want 0, %d", took, tr.Idle(), wantIdle)
				}
				if wantIdle == 1 {
					if got := get(t, tr, nil); got != "ok" {
						t.Errorf("the next response is %q", got)
					}
				}
			})
		})
	}
	head := func(n string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + n + "\r\n\r\n" }
	f("all is here", head("5")+"hello", 2, 1)
	f("nothing read", head("5")+"hello", 0, 1)
	f("read to the end", head("5")+"hello", 5, 1)
	f("not all is here", head("6")+"hello", 2, 0)
	f("too much", head("100000")+strings.Repeat("x", 100000), 2, 0)
	f("chunked", chunkedHead+"5\r\nhello\r\n0\r\n\r\n", 2, 1)
	f("chunked, read to the end but for it", chunkedHead+"5\r\nhello\r\n0\r\n\r\n", 5, 1)
	f("chunked, not all is here", chunkedHead+"5\r\nhello\r\n0\r\n", 2, 0)
	f("chunked, malformed", chunkedHead+"5\r\nhello\r\nxyz\r\n", 2, 0)
	f("until close", "HTTP/1.1 200 OK\r\n\r\nhello", 2, 0)
	f("junk behind it", head("5")+"hello junk", 2, 0)
	f("asked to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 2, 0)
}

func TestCloseEndsARead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		readRequest(bufio.NewReader(c))
		io.WriteString(c, chunkedHead)
		io.Copy(io.Discard, c)
	}, func(t *testing.T, tr *Transport) {
		res, err := tr.RoundTrip(request(t, "GET", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		done := make(chan error)
		go func() {
			_, err := res.Body.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		res.Body.Close()
		if err := <-done; err != http.ErrBodyReadAfterClose || time.Since(start) != 0 {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestCallbackEndsTheCall(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		readRequest(bufio.NewReader(c))
		io.WriteString(c, strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", max1xx)+okResponse)
		io.Copy(io.Discard, c)
	}, func(t *testing.T, tr *Transport) {
		start := time.Now()
		_, err := tr.RoundTrip(request(t, "GET", ""), &Call{Got1xx: func(int, textproto.MIMEHeader) error { return io.EOF }})
		wantError(t, err, PhaseHeader, Canceled, start, 0)
		_, err = tr.RoundTrip(request(t, "GET", ""), nil)
		wantError(t, err, PhaseHeader, Malformed, start, 0)
		if tr.Idle() != 0 {
			t.Error("the connection is used again")
		}
	})
}

// TestReadUntil: a body gives up waiting exactly at the time, and continues, wherever in
// its framing the bytes stop.
func TestReadUntil(t *testing.T) {
	t.Parallel()
	const pause = time.Second
	f := func(name, head, body string, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				readRequest(bufio.NewReader(c))
				io.WriteString(c, head)
				for _, b := range []byte(body) {
					time.Sleep(pause)
					c.Write([]byte{b})
				}
			}, func(t *testing.T, tr *Transport) {
				res, err := tr.RoundTrip(request(t, "GET", ""), nil)
				if err != nil {
					t.Fatal(err)
				}
				got, p := "", make([]byte, 100)
				for err == nil || err == ErrNotYet {
					start := time.Now()
					var n int
					n, err = res.Body.(Body).ReadUntil(p, start.Add(pause/4))
					got += string(p[:n])
					if took := time.Since(start); err == ErrNotYet && took != pause/4 || took > pause/4 {
						t.Errorf("%v after %v", err, took)
					}
				}
				if got != want || err != io.EOF {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			})
		})
	}
	f("sized", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", "hello")
	f("until close", "HTTP/1.1 200 OK\r\n\r\n", "hello", "hello")
	f("chunked", chunkedHead, "5;x\r\nhello\r\n1\r\n.\r\n0\r\n\r\n", "hello.")
}

// TestReadUntilKeepsTheBound: Idle holds after a read that gave up.
func TestReadUntilKeepsTheBound(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		readRequest(bufio.NewReader(c))
		io.WriteString(c, chunkedHead)
		io.Copy(io.Discard, c)
	}, func(t *testing.T, tr *Transport) {
		res, err := tr.RoundTrip(request(t, "GET", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := res.Body.(Body).ReadUntil(make([]byte, 1), time.Now().Add(time.Second)); err != ErrNotYet {
			t.Errorf("got %v, want %v", err, ErrNotYet)
		}
		start := time.Now()
		_, err = res.Body.Read(make([]byte, 1))
		wantError(t, err, PhaseBody, Timeout, start, idleBound)
		res.Body.Close()
	})
}
