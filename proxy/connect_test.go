package proxy_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/internal/lab/connecttest"
	_ "github.com/goodgate/goodgate/internal/wire/xconnect"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// socket is a WebSocket of a client that uses HTTP/2.
type socket struct {
	*http.Response
	to *io.PipeWriter // the client's bytes
}

// openSocket asks for a WebSocket. Fields alternate between names and values.
func (w *world) openSocket(path string, fields ...string) *socket {
	w.tb.Helper()
	from, to := io.Pipe()
	r := w.request(http.MethodConnect, path, from)
	r.Header.Set(":protocol", "websocket")
	r.Header.Set("Sec-Websocket-Version", "13")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	res, err := connecttest.HTTP2(w.tb, nil, w.dialer("front:80")).RoundTrip(r)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { to.Close(); res.Body.Close() })
	return &socket{res, to}
}

func (s *socket) say(text string) { io.WriteString(s.to, text) }

// hear reads n bytes.
func (s *socket) hear(n int) string {
	p := make([]byte, n)
	got, err := io.ReadFull(s.Body, p)
	if err != nil {
		return fmt.Sprintf("%s %v", p[:got], err)
	}
	return string(p)
}

// proof returns the Sec-WebSocket-Accept for a request.
func proof(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// accept switches to WebSocket, with more fields.
func (c *wire) accept(more string) {
	r := c.header()
	if r == nil {
		return
	}
	c.say("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: " + proof(r) + "\n" + more + "\n")
}

// An upstream gets the handshake of HTTP/1.1, and the bytes pass in both directions until
// both sides have ended.
func TestWebSocketOverHTTP2(t *testing.T) {
	t.Parallel()
	bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
		var head []string
		w.script("app:80", func(c *wire) {
			var raw bytes.Buffer
			c.r.Reset(io.TeeReader(c.Conn, &raw))
			c.accept("Sec-WebSocket-Protocol: chat\nSec-WebSocket-Extensions: permessage-deflate\nSet-Cookie: a=b\n")
			c.say("hello")
			head = strings.Split(raw.String(), "\r\n")
			text, _ := io.ReadAll(c.r)
			c.say("got " + string(text))
		})
		s := w.openSocket("/chat?room=1", "Origin", "https://example.com", "Sec-Websocket-Protocol", "chat, other",
			"Sec-Websocket-Extensions", "permessage-deflate", "Sec-Websocket-Key", "theirs", "Cookie", "c=d")
		check(t, "status", s.StatusCode, 200)
		for name, want := range map[string]string{
			"Sec-Websocket-Protocol": "chat", "Sec-Websocket-Extensions": "permessage-deflate", "Set-Cookie": "a=b",
			"Connection": "", "Upgrade": "", "Sec-Websocket-Accept": "", "Content-Length": "",
		} {
			check(t, name, s.Header.Get(name), want)
		}
		check(t, "first bytes", s.hear(5), "hello")
		u := w.pool.Members()[0].Upstream
		check(t, "open", proxy.TunnelsOf(u).Open, 1)
		s.say("one ")
		s.say("two")
		synctest.Wait()
		s.to.Close()
		rest, err := io.ReadAll(s.Body)
		check(t, "rest", fmt.Sprint(string(rest), err), "got one two<nil>")
		check(t, "request line", head[0], "GET /chat?room=1 HTTP/1.1")
		for _, want := range []string{"Host: example.com", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Origin: https://example.com",
			"Sec-WebSocket-Protocol: chat, other", "Sec-WebSocket-Extensions: permessage-deflate", "Cookie: c=d"} {
			if !slices.Contains(head, want) {
				t.Errorf("the upstream got no %q, but %q", want, head)
			}
		}
		for _, line := range head {
			if name, value, _ := strings.Cut(line, ": "); strings.HasPrefix(name, ":") || name == "Transfer-Encoding" || name == "Content-Length" || value == "theirs" {
				t.Errorf("the upstream got %q", line)
			}
		}
		rec := w.record()
		check(t, "record", fmt.Sprint(rec.Method, rec.Proto, rec.Status, rec.Reason, rec.Received, rec.Sent), "GETHTTP/2.0101 none 7 16")
		check(t, "closed", proxy.TunnelsOf(u).Ended[proxy.TunnelClosed], 1)
	})
}

// A refusal passes to the client. An answer that the client would take for an open
// WebSocket does not.
func TestWebSocketOverHTTP2Refused(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n"
	for name, tc := range map[string]struct {
		answer string
		status int
		body   string
		reason reason.Reason
	}{
		"forbidden":       {"HTTP/1.1 403 Forbidden\nContent-Length: 2\n\nno", 403, "no", reason.None},
		"redirect":        {"HTTP/1.1 302 Found\nLocation: /x\nContent-Length: 0\n\n", 302, "", reason.None},
		"version":         {"HTTP/1.1 426 Upgrade Required\nSec-WebSocket-Version: 8\nContent-Length: 0\n\n", 426, "", reason.None},
		"error":           {"HTTP/1.1 500 Oops\nContent-Length: 2\n\nno", 500, "no", reason.None},
		"a page":          {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 502, "", reason.ResponseMalformed},
		"no content":      {"HTTP/1.1 204 No Content\n\n", 502, "", reason.ResponseMalformed},
		"no proof":        {head + "\n", 502, "", reason.ResponseMalformed},
		"wrong proof":     {head + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\n", 502, "", reason.ResponseMalformed},
		"two proofs":      {head + "Sec-WebSocket-Accept: PROOF\nSec-WebSocket-Accept: PROOF\n\n", 502, "", reason.ResponseMalformed},
		"other protocol":  {"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: chat\nSec-WebSocket-Accept: PROOF\n\n", 502, "", reason.ResponseMalformed},
		"no protocol":     {"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nSec-WebSocket-Accept: PROOF\n\n", 502, "", reason.ResponseMalformed},
		"closed at once":  {"", 502, "", reason.ClosedBeforeResponse},
		"not even a head": {"HTTP/1.1 what\n\n", 502, "", reason.ResponseMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
				w.script("app:80", func(c *wire) {
					if r := c.header(); r != nil {
						c.say(strings.ReplaceAll(tc.answer, "PROOF", proof(r)))
					}
				})
				s := w.openSocket("/")
				check(t, "status", s.StatusCode, tc.status)
				if body, _ := io.ReadAll(s.Body); tc.status != 502 {
					check(t, "body", string(body), tc.body)
				}
				rec := w.record()
				check(t, "record", fmt.Sprint(rec.Status, rec.Reason), fmt.Sprint(tc.status, tc.reason))
				check(t, "open", proxy.TunnelsOf(w.pool.Members()[0].Upstream).Open, 0)
			})
		})
	}
}

// A WebSocket is refused where goodgate itself would answer with a successful status, which
// would accept it.
func TestWebSocketOverHTTP2WithoutPool(t *testing.T) {
	t.Parallel()
	for want, route := range map[int]proxy.Route{
		501: {Respond: &proxy.Respond{Body: "hi"}},
		308: {Redirect: &proxy.Redirect{To: "/x"}},
	} {
		bubble(t, http2Setup(setup{route: route}), func(w *world) {
			check(t, "status", w.openSocket("/").StatusCode, want)
			check(t, "record", w.record().Status, want)
		})
	}
}

// A pool that only speaks HTTP/2 has no WebSockets.
func TestWebSocketOverHTTP2ToHTTP2(t *testing.T) {
	t.Parallel()
	s := http2Setup(setup{upstreams: specs("app:80")})
	s.pool.Protocol = proxy.HTTP2
	bubble(t, s, func(w *world) {
		w.h2app("app:80", func(http.ResponseWriter, *http.Request) {})
		check(t, "status", w.openSocket("/").StatusCode, 501)
		check(t, "reason", w.record().Reason, reason.UpgradeUnsupported)
	})
}

// An upstream that fails before it has switched is replaced by another, as for any GET.
func TestWebSocketOverHTTP2Retried(t *testing.T) {
	t.Parallel()
	s := http2Setup(setup{upstreams: specs("one:80", "two:80")})
	s.pool.Retry = retries(2)
	bubble(t, s, func(w *world) {
		w.script("one:80", func(c *wire) { c.header() })
		w.script("two:80", func(c *wire) {
			c.accept("")
			io.Copy(c, c.r)
		})
		so := w.openSocket("/")
		so.say("x")
		check(t, "answer", fmt.Sprint(so.StatusCode, so.hear(1)), "200x")
		so.to.Close()
		io.Copy(io.Discard, so.Body)
		rec := w.record()
		check(t, "attempts", decisions(rec), "one:closed_before_response:retried two:101:answered")
	})
}

// Other kinds of CONNECT are refused.
func TestConnectRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fields string // pseudo-header fields
		status string
		reason reason.Reason
	}{
		"a tunnel":           {":method CONNECT :authority example.com:443", "405", reason.RequestMalformed},
		"UDP":                {":method CONNECT :protocol connect-udp :scheme http :path /x :authority example.com", "501", reason.RequestMalformed},
		"WebTransport":       {":method CONNECT :protocol webtransport :scheme http :path /x :authority example.com", "501", reason.RequestMalformed},
		"nothing":            {":method GET :protocol websocket :scheme http :path /x :authority example.com", "501", reason.RequestMalformed},
		"a path that climbs": {":method CONNECT :protocol websocket :scheme http :path /../x :authority example.com", "400", reason.RequestMalformed},
		"no host":            {":method CONNECT :protocol websocket :scheme http :path /x", "400", reason.RequestMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
				w.script("app:80", func(c *wire) { t.Error("the upstream was asked") })
				c := w.dial()
				check(t, "status", askHTTP2(t, c, strings.Fields(tc.fields)), tc.status)
				c.Close()
				check(t, "reason", w.record().Reason, tc.reason)
			})
		})
	}
}

// askHTTP2 sends a header of names and values, and returns the status of the answer. It
// checks that the server offers extended CONNECT.
func askHTTP2(t *testing.T, c *wire, fields []string) (status string) {
	io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c.r)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if v, _ := frame.Value(http2.SettingEnableConnectProtocol); v != 1 && !frame.IsAck() {
				t.Error("SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1")
			}
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return frame.ErrCode.String()
		}
	}
}
