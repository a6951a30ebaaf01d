package proxy

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// ProxyProtocol is the version of the PROXY protocol, which sends upstreams the client's
// address in the first bytes of each connection, before TLS
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). The zero value sends
// nothing.
type ProxyProtocol byte

const (
	ProxyV1 ProxyProtocol = 1 // a line of text
	ProxyV2 ProxyProtocol = 2 // binary
)

// Local returns the first bytes of a connection without a client, for example of a probe.
// It returns nil for the zero value.
func (v ProxyProtocol) Local() []byte {
	return v.format(proxyproto.Header{Command: proxyproto.LOCAL})
}

// header returns the first bytes of a connection for a client. own is the address that
// the client connected to. An invalid client is unknown, as behind a unix socket. An
// invalid own becomes the unspecified address.
func (v ProxyProtocol) header(client, own netip.AddrPort) []byte {
	if !client.IsValid() {
		return v.Local() // some receivers reject a PROXY command without addresses
	}
	from, to := client.Addr().Unmap(), own.Addr().Unmap()
	if !to.IsValid() {
		to = netip.IPv4Unspecified()
		if !from.Is4() {
			to = netip.IPv6Unspecified()
		}
	}
	h := proxyproto.Header{Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4}
	if !from.Is4() || !to.Is4() { // with two families, both become IPv6 addresses
		h.TransportProtocol = proxyproto.TCPv6
	}
	h.SourceAddr = &net.TCPAddr{IP: from.AsSlice(), Port: int(client.Port())}
	h.DestinationAddr = &net.TCPAddr{IP: to.AsSlice(), Port: int(own.Port())}
	return v.format(h)
}

func (v ProxyProtocol) format(h proxyproto.Header) []byte {
	if v == 0 {
		return nil
	}
	h.Version = byte(v)
	b, err := h.Format()
	if err != nil {
		panic("proxy: PROXY protocol: " + err.Error()) // impossible: all headers made here can be written
	}
	return b
}

// preface returns the first bytes of connections for the request.
func (x *exchange) preface(v ProxyProtocol) []byte {
	if v == 0 {
		return nil
	}
	port := uint16(0) // unknown for a client behind another proxy
	if x.record.Client == x.peer.addr {
		ap, _ := netip.ParseAddrPort(x.request.RemoteAddr)
		port = ap.Port()
	}
	own := netip.AddrPort{}
	if a, ok := x.request.LocalAddr().(*net.TCPAddr); ok {
		own = a.AddrPort()
	}
	return v.header(netip.AddrPortFrom(x.record.Client, port), own)
}

// byClient keeps the connections for each client apart, because the first bytes of a
// connection name its client. Each client has its own transport. byClient keeps the
// transports of the latest clients, at most MaxIdleConns.
type byClient struct {
	endpoint *endpoint

	mu     sync.Mutex // protects the fields below
	kept   *simplelru.LRU[string, transport]
	leaves []transport // removed from kept, and not yet retired
	// retired means that no connection outlives its request.
	retired bool
}

// clientIdle bounds the idle connections for one client. An HTTP/1.1 client has one
// request at a time on each of its connections.
const clientIdle = 8

func newByClient(l *endpoint) *byClient {
	t := &byClient{endpoint: l}
	t.kept, _ = simplelru.NewLRU(max(l.opts.MaxIdleConns, 1), func(_ string, old transport) { // it fails only for a size below 1
		t.leaves = append(t.leaves, old)
	})
	return t
}

func (t *byClient) RoundTrip(r *http.Request, x *http1.Call) (*http.Response, error) {
	return t.of(x.Preface).RoundTrip(r, x)
}

// plainByClient is byClient for an upstream that is [endpoint.plain]: the transports of
// all clients send heads unchanged.
type plainByClient struct{ *byClient }

// Send implements [plainTransport].
func (t plainByClient) Send(ctx context.Context, r *http1.Request, x *http1.Call) (*message.Response, error) {
	return t.of(x.Preface).(plainTransport).Send(ctx, r, x)
}

// of returns the transport whose connections begin with a header.
func (t *byClient) of(header []byte) transport {
	t.mu.Lock()
	own, ok := t.kept.Get(string(header))
	if !ok {
		// It resumes only its own TLS sessions: to the upstream it is another client.
		l := describe(t.endpoint.spec, t.endpoint.opts)
		l.at, l.preface = t.endpoint.at, header
		own = l.speak()
		if t.retired {
			own.Retire()
		} else {
			t.kept.Add(string(header), own)
		}
	}
	leaves := t.leaves
	t.leaves = nil
	t.mu.Unlock()
	for _, old := range leaves {
		old.Retire()
	}
	return own
}

func (t *byClient) Idle() int {
	n := 0
	for _, own := range t.all() {
		n += own.Idle()
	}
	return n
}

func (t *byClient) Retire() {
	t.mu.Lock()
	t.retired = true
	t.mu.Unlock()
	for _, own := range t.all() {
		own.Retire()
	}
}

func (t *byClient) all() []transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.Values()
}
