package gate

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/websocket"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/lab/connecttest"
)

// echoes is an application whose WebSockets repeat each byte.
func echoes(t *testing.T) string {
	s := httptest.NewServer(websocket.Server{Handler: func(c *websocket.Conn) { io.Copy(c, c) }})
	t.Cleanup(s.Close)
	return s.URL
}

// socket is the stream of a WebSocket over HTTP/2 or HTTP/3.
type socket struct {
	res *http.Response
	to  *io.PipeWriter
}

// openSocket asks for a WebSocket over HTTP/3, HTTP/2 or, without certificates, HTTP/2 in
// the clear.
func openSocket(t *testing.T, addr string, trust *tls.Config, quic bool) *socket {
	t.Helper()
	from, to := io.Pipe()
	t.Cleanup(func() { to.Close() })
	scheme := map[bool]string{true: "https", false: "http"}[trust != nil]
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, scheme+"://"+addr+"/", from)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Websocket-Version", "13")
	r.Header.Set("Origin", "https://example.com")
	var tr http.RoundTripper
	if quic {
		r.Proto = "websocket"
		t3 := &http3.Transport{TLSClientConfig: trust}
		t.Cleanup(func() { t3.Close() })
		tr = t3
	} else {
		r.Header.Set(":protocol", "websocket")
		tr = connecttest.HTTP2(t, trust, new(net.Dialer).DialContext)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("a WebSocket by %s: %s: %s", res.Proto, res.Status, body)
	}
	return &socket{res, to}
}

// echo sends a message of one letter, and returns what comes back: the frame's first
// byte, and its payload.
func (s *socket) echo() string {
	s.to.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'})
	return s.hear()
}

func (s *socket) hear() string {
	var head [2]byte
	if _, err := io.ReadFull(s.res.Body, head[:]); err != nil {
		return err.Error()
	}
	payload := make([]byte, head[1])
	if _, err := io.ReadFull(s.res.Body, payload); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x %q", head[0], payload)
}

// overEach runs f with a gate and a WebSocket over each protocol. The configuration gets
// the listener's address.
func overEach(t *testing.T, shutdown string, f func(*testing.T, *running, *socket, func(address string) *config.Config)) {
	app := echoes(t)
	for _, by := range []string{"HTTP/2", "cleartext HTTP/2", "HTTP/3"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
			cert, key := ca.Files(dir, "site", ca.Issue("127.0.0.1"))
			listener, trust := fmt.Sprintf(`, http3: {enabled: true}, tls: {certificates: [{cert: %q, key: %q}]}`, cert, key), &tls.Config{RootCAs: ca.Pool()}
			if by == "cleartext HTTP/2" {
				listener, trust = ", http2: {cleartext: true}", nil
			}
			of := func(address string) *config.Config {
				return parse(t, fmt.Sprintf(`
listeners: [{address: %q%s}]
shutdown: %s
pools: {app: {health: {type: none}, upstreams: [%q]}}`, address, listener, shutdown, app))
			}
			g := start(t, of("127.0.0.1:0"), Options{})
			s := openSocket(t, g.addrs[0], trust, by == "HTTP/3")
			if got, want := s.echo(), `81 "x"`; got != want {
				t.Fatalf("echo: got %s, want %s", got, want)
			}
			f(t, g, s, of)
		})
	}
}

const goodbye = `88 "\x03\xe9"` // a Close frame with the code 1001

// A WebSocket over HTTP/2 or HTTP/3 outlives the requests on its connection when goodgate
// shuts down, for the time of shutdown.tunnels. Then it gets a Close frame.
func TestWebSocketStreamsOutliveGrace(t *testing.T) {
	t.Parallel()
	overEach(t, "{lame_duck: 0s, grace: 100ms, tunnels: 1500ms}", func(t *testing.T, g *running, s *socket, _ func(string) *config.Config) {
		g.stop()
		if got := s.hear(); got != goodbye {
			t.Errorf("got %s, want %s", got, goodbye)
		}
	})
}

// The WebSockets of a removed listener get a Close frame when its requests must end.
func TestWebSocketStreamsOfRemovedListener(t *testing.T) {
	t.Parallel()
	overEach(t, "{lame_duck: 0s, grace: 100ms}", func(t *testing.T, g *running, s *socket, of func(string) *config.Config) {
		g.reload(t, of("localhost:0"))
		if got := s.hear(); got != goodbye {
			t.Errorf("got %s, want %s", got, goodbye)
		}
	})
}

// A WebSocket stays open while a reload keeps its listener.
func TestWebSocketStreamsStayOnReload(t *testing.T) {
	t.Parallel()
	overEach(t, "{lame_duck: 0s}", func(t *testing.T, g *running, s *socket, of func(string) *config.Config) {
		g.reload(t, of("127.0.0.1:0"))
		if got, want := s.echo(), `81 "x"`; got != want {
			t.Errorf("after a reload: got %s, want %s", got, want)
		}
	})
}
