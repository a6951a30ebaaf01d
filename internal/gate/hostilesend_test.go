package gate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// try is a request by which somebody tries to get past a rule. Fields are written as they
// stand.
type try struct {
	method, target, host string
	fields               [][2]string
	body                 string
	trailer              [][2]string
	raw                  string // HTTP/1.1 only: the whole request
}

func (r try) String() string {
	return fmt.Sprintf("%s %s %s %v %q", r.method, r.host, r.target, r.fields, r.raw)
}

// trySender sends a try over one protocol. It returns "" if the protocol cannot express it.
type trySender func(t *testing.T, r try) (status int, body string)

func overHTTP1(address string, config *tls.Config) trySender {
	return func(t *testing.T, r try) (int, string) {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		patience := 10 * time.Second
		if r.raw != "" { // the server may wait for more of it
			patience = 200 * time.Millisecond
		}
		c.SetDeadline(time.Now().Add(patience))
		if config != nil {
			own := config.Clone()
			own.NextProtos = []string{"http/1.1"}
			c = tls.Client(c, own)
		}
		text := r.raw
		if text == "" {
			var b strings.Builder
			fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, r.host)
			for _, f := range r.fields {
				fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
			}
			b.WriteString("Connection: close\r\n")
			switch {
			case len(r.trailer) > 0:
				b.WriteString("Transfer-Encoding: chunked\r\n")
				for _, f := range r.trailer {
					fmt.Fprintf(&b, "Trailer: %s\r\n", f[0])
				}
				fmt.Fprintf(&b, "\r\n%x\r\n%s\r\n0\r\n", len(r.body), r.body)
				for _, f := range r.trailer {
					fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
				}
				b.WriteString("\r\n")
			case r.body != "":
				fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
			default:
				b.WriteString("\r\n")
			}
			text = b.String()
		}
		io.WriteString(c, text)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: r.method})
		if err != nil {
			return 0, ""
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
}

func overHTTP2(address string, config *tls.Config) trySender {
	return func(t *testing.T, r try) (status int, body string) {
		t.Helper()
		if r.raw != "" {
			return 0, ""
		}
		own := config.Clone()
		own.NextProtos = []string{"h2"}
		c, err := tls.Dial("tcp", address, own)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, http2.ClientPreface)
		f := http2.NewFramer(c, c)
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		f.WriteSettings()
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: r.body == "" && len(r.trailer) == 0, BlockFragment: block(append([][2]string{
			{":method", r.method}, {":scheme", "https"}, {":authority", r.host}, {":path", r.target},
		}, r.fields...))})
		if r.body != "" || len(r.trailer) > 0 {
			f.WriteData(1, len(r.trailer) == 0, []byte(r.body))
		}
		if len(r.trailer) > 0 {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: block(r.trailer)})
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return status, body
			}
			switch frame := frame.(type) {
			case *http2.MetaHeadersFrame:
				fmt.Sscan(frame.PseudoValue("status"), &status)
			case *http2.DataFrame:
				body += string(frame.Data())
			case *http2.RSTStreamFrame, *http2.GoAwayFrame:
				return status, body
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					f.WriteSettingsAck()
				}
			}
			if frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream) {
				return status, body
			}
		}
	}
}

func block(fields [][2]string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for _, f := range fields {
		enc.WriteField(hpack.HeaderField{Name: strings.ToLower(f[0]), Value: f[1]})
	}
	return b.Bytes()
}

func overHTTP3(address string, tr *http3.Transport) trySender {
	return func(t *testing.T, r try) (int, string) {
		t.Helper()
		path, query, _ := strings.Cut(r.target, "?")
		u := &url.URL{Scheme: "https", Host: address, Opaque: "", Path: path, RawQuery: query}
		if decoded, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = decoded, path
		}
		if r.raw != "" || !strings.HasPrefix(r.target, "/") || u.EscapedPath() != path || strings.HasPrefix(path, "//") {
			return 0, ""
		}
		req := &http.Request{Method: r.method, URL: u, Host: r.host, Header: http.Header{}, Proto: "HTTP/3.0", ProtoMajor: 3}
		for _, f := range r.fields {
			req.Header[f[0]] = append(req.Header[f[0]], f[1])
		}
		if r.body != "" || len(r.trailer) > 0 {
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(r.body)), -1
			for _, f := range r.trailer {
				if req.Trailer == nil {
					req.Trailer = http.Header{}
				}
				req.Trailer[http.CanonicalHeaderKey(f[0])] = []string{f[1]}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // the client waits for the answer to a malformed request
		defer cancel()
		res, err := tr.RoundTrip(req.WithContext(ctx))
		if err != nil {
			return 0, ""
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
}

// fronts are all ways into a gate.
type fronts map[string]trySender

// startFronts starts a gate with a listener for each protocol. The text has %s for the
// listeners.
func startFronts(t *testing.T, text string) (*running, fronts) {
	t.Helper()
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("localhost", "127.0.0.1"))
	listeners := fmt.Sprintf(`listeners: ["127.0.0.1:0", {address: "localhost:0", tls: {certificates: [{cert: %q, key: %q}]}, http3: {enabled: true}}]`, cert, key)
	g := start(t, parse(t, fmt.Sprintf(text, listeners)), Options{})
	trusting := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}
	quick := &http3.Transport{TLSClientConfig: trusting}
	t.Cleanup(func() { quick.Close() })
	return g, fronts{
		"HTTP/1.1": overHTTP1(g.addrs[0], nil), "HTTP/1.1 with TLS": overHTTP1(g.addrs[1], trusting),
		"HTTP/2": overHTTP2(g.addrs[1], trusting), "HTTP/3": overHTTP3(g.addrs[1], quick),
	}
}

func (f fronts) each(do func(name string, send trySender)) {
	names := []string{}
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		do(name, f[name])
	}
}
