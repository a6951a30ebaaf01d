package http1

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
)

func TestUpgrade(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		http.ReadRequest(bufio.NewReaderSize(c, 16))
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst ")
		b, err := io.ReadAll(c)
		if string(b) != "ping" || err != nil {
			t.Errorf("the upstream read %q, %v", b, err)
		}
		time.Sleep(time.Hour) // a tunnel has no time limit
		io.WriteString(c, "pong")
	}, func(t *testing.T, tr *Transport) {
		ctx, cancel := context.WithCancel(t.Context())
		r := request(t, "GET", "").WithContext(ctx)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		var x Call
		res, err := tr.RoundTrip(r, &x)
		if err != nil {
			t.Fatal(err)
		}
		head := x.Written()
		cancel() // the tunnel belongs to the caller
		tunnel := res.Body.(io.ReadWriteCloser)
		io.WriteString(tunnel, "ping")
		if err := tunnel.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		if b, err := io.ReadAll(tunnel); string(b) != "first pong" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
		if x.Written()-head != 4 {
			t.Errorf("counted %d bytes written, want 4", x.Written()-head)
		}
		for range 2 {
			if err := tunnel.Close(); err != nil {
				t.Error(err)
			}
		}
		if tr.Idle() != 0 {
			t.Error("the connection is used again")
		}
	})
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		br := bufio.NewReader(c)
		readRequest(br)
		io.WriteString(c, okResponse)
		readRequest(br)
	}, func(t *testing.T, tr *Transport) {
		r := request(t, "GET", "")
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		res, err := tr.RoundTrip(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil || tr.Idle() != 1 {
			t.Errorf("got %q, %v, %d idle", b, err, tr.Idle())
		}
	})
}
