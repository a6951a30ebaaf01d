package socket

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestAskTCP checks that bytes acknowledged by the peer are counted, and that the
// peer's RST is reported.
func TestAskTCP(t *testing.T) {
	t.Parallel()
	here, there, raw := pair(t, "tcp", "127.0.0.1:0")
	until := func(want TCP) {
		t.Helper()
		var got TCP
		var ok bool
		for range 1000 {
			on(t, raw, func(fd uintptr) { got, ok = AskTCP(fd) })
			if ok && got.Acked == want.Acked && got.Closed == want.Closed {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("got %+v, %t, want %+v", got, ok, want)
	}
	until(TCP{Acked: 1})
	io.WriteString(here, "hello")
	until(TCP{Acked: 6})
	there.(*net.TCPConn).SetLinger(0)
	there.Close()
	until(TCP{Acked: 6, Closed: true})

	_, _, local := pair(t, "unix", t.TempDir()+"/s")
	on(t, local, func(fd uintptr) {
		if got, ok := AskTCP(fd); ok {
			t.Errorf("of no TCP: got %+v", got)
		}
	})
}

// TestReset checks that Quiet leaves a reset for the next read, and Readable does not.
// This is why there are two functions.
func TestReset(t *testing.T) {
	t.Parallel()
	for _, peek := range []bool{false, true} {
		here, there, raw := pair(t, "tcp", "127.0.0.1:0")
		there.(*net.TCPConn).SetLinger(0)
		there.Close()
		arrived(t, here, raw)
		want := error(syscall.ECONNRESET)
		on(t, raw, func(fd uintptr) {
			if peek {
				want = io.EOF
				if !Readable(fd) {
					t.Error("not readable")
				}
			}
			if _, err := ReadNow(fd, make([]byte, 1)); err != want {
				t.Errorf("peek %t: got %v, want %v", peek, err, want)
			}
		})
	}
}
