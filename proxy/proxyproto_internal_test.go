package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/balancer"
)

// TestProxyProtocolHeader parses the written headers.
func TestProxyProtocolHeader(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, tc := range []struct {
		name        string
		client, own netip.AddrPort
		want        string // by both versions
	}{
		{"IPv4", at("203.0.113.7:4711"), at("192.0.2.1:80"), "203.0.113.7:4711 192.0.2.1:80"},
		{"IPv6", at("[2001:db8::7]:4711"), at("[2001:db8::1]:443"), "[2001:db8::7]:4711 [2001:db8::1]:443"},
		{"IPv4 on a socket of both", at("[::ffff:203.0.113.7]:4711"), at("[::ffff:192.0.2.1]:80"), "203.0.113.7:4711 192.0.2.1:80"},
		{"an IPv6 client, IPv4 connection", at("[2001:db8::7]:0"), at("192.0.2.1:80"), "[2001:db8::7]:0 192.0.2.1:80"},
		{"an IPv4 client, IPv6 connection", at("203.0.113.7:0"), at("[2001:db8::1]:80"), "203.0.113.7:0 [2001:db8::1]:80"},
		{"a unix socket", at("203.0.113.7:0"), netip.AddrPort{}, "203.0.113.7:0 0.0.0.0:0"},
		{"IPv6 told of over a unix socket", at("[2001:db8::7]:0"), netip.AddrPort{}, "[2001:db8::7]:0 [::]:0"},
		{"not known", netip.AddrPort{}, at("192.0.2.1:80"), "<nil> <nil>"},
	} {
		for _, v := range []ProxyProtocol{ProxyV1, ProxyV2} {
			h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(v.header(tc.client, tc.own))))
			if err != nil {
				t.Errorf("%s, version %d: %v", tc.name, v, err)
				continue
			}
			if got := fmt.Sprint(h.SourceAddr, " ", h.DestinationAddr); got != tc.want {
				t.Errorf("%s, version %d: got %s, want %s", tc.name, v, got, tc.want)
			}
		}
	}
	for v, want := range map[ProxyProtocol]string{0: "", ProxyV1: "PROXY UNKNOWN\r\n", ProxyV2: "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		if got := string(v.Local()); got != want {
			t.Errorf("version %d, for nobody: got %q, want %q", v, got, want)
		}
	}
	if got, want := string(ProxyV1.header(at("[::ffff:203.0.113.7]:1"), at("[2001:db8::1]:80"))), "PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 1 80\r\n"; got != want {
		t.Errorf("both families in text: got %q, want %q", got, want)
	}
}

// TestByClient: the number of remembered clients is at most that of idle connections.
func TestByClient(t *testing.T) {
	for idle, want := range map[int]int{3: 3, -1: 1} {
		o := &PoolOptions{ProxyProtocol: ProxyV2, MaxIdleConns: idle, Timeouts: Timeouts{KeepAlive: time.Minute}}
		l := newEndpoint(balancer.Spec{Addr: "127.0.0.1:1"}, o)
		c := l.transport.(plainByClient)
		first := c.of([]byte("0"))
		if c.of([]byte("0")) != first || c.of([]byte("1")) == first {
			t.Errorf("%d idle: want a transport for each client", idle)
		}
		for i := range 10 {
			c.of([]byte{byte(i)})
		}
		if got := c.kept.Len(); got != want {
			t.Errorf("%d idle: got %d clients, want %d", idle, got, want)
		}
		c.Retire()
	}
}
