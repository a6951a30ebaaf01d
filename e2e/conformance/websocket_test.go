package conformance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// echo sends back each message. A message that begins with "close " makes it close with
// its own code.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"echo.v1"}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(64 << 20)
	for {
		kind, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if string(b) == "close" {
			c.Close(4321, "as you wish")
			return
		}
		if string(b) == "vanish" {
			return
		}
		if err := c.Write(r.Context(), kind, b); err != nil {
			return
		}
	}
}

func TestWebSocket(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(echo))
	defer app.Close()
	p := newKeyPair(t)
	g := startGate(t, p, `{upstreams: ["`+app.URL+`"]}`)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}}}
	n := 0
	for _, url := range []string{"ws://" + g.clear, "wss://" + g.tls} {
		scheme, _, _ := strings.Cut(url, ":")
		f := func(name string, run func(ctx context.Context, t *testing.T, c *websocket.Conn)) {
			n++
			t.Run(scheme+" "+name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"echo.v1"}, CompressionMode: websocket.CompressionContextTakeover})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				c.SetReadLimit(64 << 20)
				run(ctx, t, c)
			})
		}
		message := func(kind websocket.MessageType, b []byte) func(context.Context, *testing.T, *websocket.Conn) {
			return func(ctx context.Context, t *testing.T, c *websocket.Conn) { same(ctx, t, c, kind, b) }
		}
		f("empty text", message(websocket.MessageText, nil))
		f("text", message(websocket.MessageText, []byte("hellö")))
		f("binary", message(websocket.MessageBinary, []byte{0, 1, 0xff, 0xfe}))
		for _, size := range []int{125, 126, 65535, 65536, 16 << 20} {
			f("binary, large", message(websocket.MessageBinary, bytes.Repeat([]byte{7}, size)))
		}
		f("many small ones", func(ctx context.Context, t *testing.T, c *websocket.Conn) {
			for range 1000 {
				same(ctx, t, c, websocket.MessageText, []byte("x"))
			}
		})
		f("fragments", func(ctx context.Context, t *testing.T, c *websocket.Conn) {
			w, err := c.Writer(ctx, websocket.MessageBinary)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				w.Write(bytes.Repeat([]byte{9}, 5000))
			}
			w.Close()
			if _, b, err := c.Read(ctx); err != nil || len(b) != 100000 {
				t.Errorf("got %d bytes, %v; want 100000", len(b), err)
			}
		})
		f("ping", func(ctx context.Context, t *testing.T, c *websocket.Conn) {
			ctx = c.CloseRead(ctx)
			for range 10 {
				if err := c.Ping(ctx); err != nil {
					t.Fatal(err)
				}
			}
		})
		f("subprotocol", func(_ context.Context, t *testing.T, c *websocket.Conn) {
			if c.Subprotocol() != "echo.v1" {
				t.Errorf("got %q", c.Subprotocol())
			}
		})
		for _, code := range []websocket.StatusCode{1000, 1001, 1003, 1008, 1011, 3000, 4999} {
			f("close by the client", func(_ context.Context, t *testing.T, c *websocket.Conn) {
				if err := c.Close(code, "bye"); err != nil {
					t.Error(err)
				}
			})
		}
		f("close by the server", func(ctx context.Context, t *testing.T, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageText, []byte("close"))
			_, _, err := c.Read(ctx)
			if e, ok := errors.AsType[websocket.CloseError](err); !ok || e.Code != 4321 || e.Reason != "as you wish" {
				t.Errorf("got %v, want the server's code and reason", err)
			}
		})
		f("end without a close frame", func(ctx context.Context, t *testing.T, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageText, []byte("vanish"))
			if _, _, err := c.Read(ctx); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want the end of the connection", err)
			}
		})
	}
	t.Logf("WebSocket: %d cases", n)
}

// same expects a message back unchanged.
func same(ctx context.Context, t *testing.T, c *websocket.Conn, kind websocket.MessageType, b []byte) {
	t.Helper()
	go c.Write(ctx, kind, b)
	gotKind, got, err := c.Read(ctx)
	if err != nil || gotKind != kind || !bytes.Equal(got, b) {
		t.Fatalf("got %v, %d bytes, %v; want %v, %d bytes", gotKind, len(got), err, kind, len(b))
	}
}
