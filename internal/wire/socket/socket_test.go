package socket

import (
	"errors"
	"net"
	"testing"
)

// shortConn accepts a limited number of bytes per write.
type shortConn struct {
	net.Conn
	takes int
}

func (c shortConn) Write(p []byte) (int, error) {
	if len(p) > c.takes {
		return c.takes, errors.ErrUnsupported
	}
	return len(p), nil
}

// TestWrite checks that written bytes are removed, also after a failed write.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b         string
		takes        int
		leftA, leftB string
	}{
		{"abc", "def", 3, "", ""},
		{"abc", "def", 2, "c", "def"},
		{"ab", "cdef", 3, "", "f"},
		{"abc", "", 2, "c", ""},
		{"", "def", 2, "", "f"},
		{"", "", 0, "", ""},
	} {
		a, b := []byte(tt.a), []byte(tt.b)
		n, err := Write(shortConn{takes: tt.takes}, &a, &b)
		left := tt.leftA + tt.leftB
		if string(a) != tt.leftA || string(b) != tt.leftB || int(n) != len(tt.a+tt.b)-len(left) || (err != nil) != (left != "") {
			t.Errorf("%+v: got %d, %v, left %q and %q", tt, n, err, a, b)
		}
	}
}

func TestNoSocket(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if Raw(here) != nil {
		t.Error("a connection in memory has a socket")
	}
}
