package gate

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPatience: the kernel gets the right timeout for a client's connection.
func TestPatience(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct{ writeIdle, want time.Duration }{
		{time.Second, 30 * time.Second},
		{time.Minute, time.Minute},
		{time.Hour, 0},
		{0, 0},
	} {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		c, err := (&door{socket: l, patience: patience(tt.writeIdle)}).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got int
		raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) })
		if d := time.Duration(got) * time.Millisecond; d != tt.want || err != nil {
			t.Errorf("write_idle %v: got %v, %v, want %v", tt.writeIdle, d, err, tt.want)
		}
	}
}
