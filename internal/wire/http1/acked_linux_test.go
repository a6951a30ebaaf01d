package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/textproto"
	"testing"
)

// TestAcked: after a failure of any kind, Acked knows how many bytes of the request the
// upstream's kernel has taken. The informational response carries the acknowledgement,
// which would otherwise come up to 40 ms later.
func TestAcked(t *testing.T) {
	t.Parallel()
	f := func(name string, end func(c *net.TCPConn, cancel func())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			informed := make(chan struct{})
			addr := serveRaw(t, func(c *net.TCPConn) {
				br := bufio.NewReader(c)
				readRequest(br)
				io.WriteString(c, okResponse)
				readRequest(br)
				io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n")
				<-informed
				end(c, cancel)
			})
			tr := transport(t, addr)
			first := Call{}
			get(t, tr, &first)
			if n, known := first.Acked(); known {
				t.Errorf("of a good call: got %d, want nothing known", n)
			}
			second := Call{Got1xx: func(int, textproto.MIMEHeader) error {
				close(informed)
				return nil
			}}
			_, err := tr.RoundTrip(request(t, "POST", "hello").WithContext(ctx), &second)
			if err == nil {
				t.Fatal("the call did not fail")
			}
			if n, known := second.Acked(); !known || n != second.Written() || n == 0 {
				t.Errorf("after %v: got %d, %t, want all %d bytes", err, n, known, second.Written())
			}
		})
	}
	f("closed", func(c *net.TCPConn, _ func()) { fin(c) })
	f("reset", func(c *net.TCPConn, _ func()) { rst(c) })
	f("canceled", func(c *net.TCPConn, cancel func()) {
		cancel()
		c.Read(make([]byte, 1))
	})
}
