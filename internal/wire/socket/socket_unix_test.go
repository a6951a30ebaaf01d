//go:build unix

package socket

import (
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pair returns a connection's two ends, and the socket of the first.
func pair(t *testing.T, network, addr string) (here, there net.Conn, raw syscall.RawConn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); there.Close() })
	return here, there, Raw(here)
}

// on calls f with the file descriptor.
func on(t *testing.T, raw syscall.RawConn, f func(fd uintptr)) {
	t.Helper()
	if err := raw.Control(f); err != nil {
		t.Fatal(err)
	}
}

// arrived waits for something to read.
func arrived(t *testing.T, here net.Conn, raw syscall.RawConn) {
	t.Helper()
	here.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := raw.Read(func(fd uintptr) bool { return !Quiet(fd) }); err != nil {
		t.Fatal(err)
	}
}

// TestQuestions checks the results for a socket that is empty, has bytes, or has ended.
func TestQuestions(t *testing.T) {
	t.Parallel()
	f := func(network, addr string) {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			here, there, raw := pair(t, network, addr)
			is := func(readable bool, have int, want string, end error) {
				t.Helper()
				on(t, raw, func(fd uintptr) {
					if got := Readable(fd); got != readable {
						t.Errorf("readable %t", got)
					}
					if got := Quiet(fd); got == readable {
						t.Errorf("quiet %t", got)
					}
					if got := Queued(fd); got != have && got != 0 {
						t.Errorf("%d queued, want %d", got, have)
					}
					p := make([]byte, 10)
					if n, err := ReadNow(fd, p); string(p[:n]) != want || err != end {
						t.Errorf("read %q, %v", p[:n], err)
					}
				})
			}
			is(false, 0, "", ErrWouldWait)
			io.WriteString(there, "hello")
			arrived(t, here, raw)
			is(true, 5, "hello", nil)
			is(false, 0, "", ErrWouldWait)
			there.Close()
			arrived(t, here, raw)
			is(true, 0, "", io.EOF)
		})
	}
	f("tcp", "127.0.0.1:0")
	f("unix", filepath.Join(t.TempDir(), "s"))
}

// TestWriteNow checks that a full socket is reported as such, after the bytes that it
// accepted.
func TestWriteNow(t *testing.T) {
	t.Parallel()
	_, there, raw := pair(t, "tcp", "127.0.0.1:0")
	total := 0
	on(t, raw, func(fd uintptr) {
		for p := make([]byte, 1<<20); ; {
			n, err := WriteNow(fd, p)
			total += n
			if err == ErrWouldWait && n == 0 {
				return
			}
			if err != nil || total > 1<<30 {
				t.Errorf("got %d, %v after %d bytes", n, err, total)
				return
			}
		}
	})
	if n, err := io.CopyN(io.Discard, there, int64(total)); err != nil {
		t.Errorf("%d bytes of %d came: %v", n, total, err)
	}
}
