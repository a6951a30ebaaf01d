package pipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// sockets returns two ends of a connection, and the raw one of each.
func sockets(t *testing.T) (conns [2]*net.TCPConn, raws [2]syscall.RawConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []net.Conn{a, b} {
		conns[i] = c.(*net.TCPConn)
		if raws[i], err = conns[i].SyscallConn(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	return conns, raws
}

// TestMove checks that bytes go from one socket to the other in order, that bytes that
// a socket does not accept stay in the pipe, and how ends and deadlines are reported.
func TestMove(t *testing.T) {
	from, fromRaw := sockets(t)
	to, toRaw := sockets(t)
	pool := Pool{Max: 1}
	p := pool.Get()
	if p == nil {
		t.Fatal("no pipe")
	}
	if pool.Get() != nil {
		t.Error("more pipes than Max")
	}

	from[1].SetReadDeadline(time.Now().Add(-time.Second))
	if n, err := p.Fill(fromRaw[1], 10); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with nothing to read: got %d, %v", n, err)
	}
	from[1].SetReadDeadline(time.Time{})
	io.WriteString(from[0], "hello world")
	if n, err := p.Fill(fromRaw[1], 5); n != 5 || err != nil || p.Len() != 5 {
		t.Errorf("Fill: got %d, %v, %d in it", n, err, p.Len())
	}
	to[0].SetWriteDeadline(time.Now().Add(-time.Second))
	if n, err := p.Drain(toRaw[0]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || p.Len() != 5 {
		t.Errorf("Drain too late: got %d, %v, %d in it", n, err, p.Len())
	}
	to[0].SetWriteDeadline(time.Time{})
	if n, err := p.Drain(toRaw[0]); n != 5 || err != nil || p.Len() != 0 {
		t.Errorf("Drain: got %d, %v, %d in it", n, err, p.Len())
	}
	p.Fill(fromRaw[1], 100)
	p.Drain(toRaw[0])
	got := make([]byte, 11)
	if _, err := io.ReadFull(to[1], got); string(got) != "hello world" {
		t.Errorf("got %q, %v", got, err)
	}

	go func() {
		from[0].Write(bytes.Repeat([]byte("x"), 1<<20))
		from[0].Close()
	}()
	go io.Copy(io.Discard, to[1])
	total := 0
	for {
		n, err := p.Fill(fromRaw[1], 1<<20)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		total += n
		if _, err := p.Drain(toRaw[0]); err != nil {
			t.Fatal(err)
		}
	}
	if total != 1<<20 {
		t.Errorf("got %d bytes", total)
	}
	pool.Put(p)
}

// TestPut checks that a pipe that still has bytes is not reused.
func TestPut(t *testing.T) {
	from, raw := sockets(t)
	pool := Pool{Max: 1}
	p := pool.Get()
	io.WriteString(from[0], "left behind")
	if _, err := p.Fill(raw[1], 100); err != nil {
		t.Fatal(err)
	}
	pool.Put(p)
	if again := pool.Get(); again == nil || again == p || again.Len() != 0 {
		t.Errorf("got %p with %d bytes in it, after %p", again, again.Len(), p)
	}
}
