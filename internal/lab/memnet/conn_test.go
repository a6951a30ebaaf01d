package memnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"
)

// connect returns the two ends of a new connection.
func connect(t testing.TB) (client, server *Conn) {
	t.Helper()
	n := New()
	ln, err := n.Listen("127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	c, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*Conn), s.(*Conn)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		client, server := connect(t)
		return client, server, func() {
			client.Close()
			server.Close()
		}, nil
	})
}

func TestDeadlinesAreExact(t *testing.T) {
	t.Parallel()
	f := func(name string, set func(*Conn, time.Time) error, block func(*Conn) error) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := connect(t)
				start := time.Now()
				set(c, start.Add(time.Hour)) // a replaced deadline must have no effect
				set(c, start.Add(2*time.Second))
				err := block(c)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got error %v, want a deadline exceeded", err)
				}
				if got := time.Since(start); got != 2*time.Second {
					t.Errorf("ended after %v, want 2s", got)
				}
				if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
					t.Errorf("%v is not a net.Error with Timeout", err)
				}
			})
		})
	}
	read := func(c *Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c *Conn) error {
		n, err := c.Write(make([]byte, streamSize+1))
		if n != streamSize {
			t.Errorf("wrote %d bytes before blocking, want %d", n, streamSize)
		}
		return err
	}
	f("read", (*Conn).SetReadDeadline, read)
	f("write", (*Conn).SetWriteDeadline, write)
	f("both, read", (*Conn).SetDeadline, read)
	f("both, write", (*Conn).SetDeadline, write)
}

func TestDeadlineCanBeCleared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t)
		client.SetReadDeadline(time.Now().Add(time.Second))
		client.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { server.Write([]byte("x")) })
		if _, err := client.Read(make([]byte, 1)); err != nil {
			t.Errorf("got %v, want none", err)
		}
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	// The server calls end after it has written "bye". Then the client reads to the end
	// and writes.
	f := func(name string, end func(*Conn), wantRead string, wantReadErr, wantWriteErr error) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := connect(t)
				server.Write([]byte("bye"))
				end(server)
				got, err := io.ReadAll(client)
				if string(got) != wantRead || !errors.Is(err, wantReadErr) {
					t.Errorf("read %q, %v; want %q, %v", got, err, wantRead, wantReadErr)
				}
				_, err = client.Write([]byte("x"))
				if !errors.Is(err, wantWriteErr) {
					t.Errorf("write: got %v, want %v", err, wantWriteErr)
				}
				if _, ok := errors.AsType[*net.OpError](err); err != nil && !ok {
					t.Errorf("write: got a %T, want a *net.OpError", err)
				}
			})
		})
	}
	f("CloseWrite", func(c *Conn) { c.CloseWrite() }, "bye", nil, nil)
	f("Close", func(c *Conn) { c.Close() }, "bye", nil, syscall.EPIPE)
	f("CloseWrite and Close", func(c *Conn) { c.CloseWrite(); c.Close() }, "bye", nil, syscall.EPIPE)
	f("Reset", (*Conn).Reset, "", syscall.ECONNRESET, syscall.ECONNRESET)
	f("Close and Reset", func(c *Conn) { c.Close(); c.Reset() }, "", syscall.ECONNRESET, syscall.ECONNRESET)
}

func TestHalfCloseLeavesTheOtherDirection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t)
		client.Write([]byte("ping"))
		client.CloseWrite()
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after CloseWrite: got %v, want EPIPE", err)
		}
		if got, err := io.ReadAll(server); string(got) != "ping" || err != nil {
			t.Errorf("server read %q, %v", got, err)
		}
		server.Write([]byte("pong"))
		server.Close()
		if got, err := io.ReadAll(client); string(got) != "pong" || err != nil {
			t.Errorf("client read %q, %v", got, err)
		}
	})
}

func TestOwnCloseWakesReadAndWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: got %v, want net.ErrClosed", err)
			}
		})
		wg.Go(func() {
			if _, err := client.Write(make([]byte, streamSize+1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write: got %v, want net.ErrClosed", err)
			}
		})
		synctest.Wait()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		for name, err := range map[string]error{
			"Close": client.Close(), "CloseWrite": client.CloseWrite(), "SetDeadline": client.SetDeadline(time.Time{}),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: got %v, want net.ErrClosed", name, err)
			}
		}
	})
}

func TestConcurrentWritesDoNotMix(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t)
		const writers, size = 4, streamSize + 1000
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() { client.Write(bytes.Repeat([]byte{byte('a' + i)}, size)) })
		}
		b := make([]byte, size)
		for range writers {
			if _, err := io.ReadFull(server, b); err != nil {
				t.Fatal(err)
			}
			if want := bytes.Repeat(b[:1], size); !bytes.Equal(b, want) {
				t.Fatalf("a write of %q is mixed with another", b[:1])
			}
		}
		wg.Wait()
	})
}

func BenchmarkPingPong(b *testing.B) {
	b.ReportAllocs()
	client, server := connect(b)
	defer client.Close()
	go io.Copy(server, server)
	buf := make([]byte, 512)
	for b.Loop() {
		client.Write(buf)
		if _, err := io.ReadFull(client, buf); err != nil {
			b.Fatal(err)
		}
	}
}
