package assemble

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/limit"
	"github.com/goodgate/goodgate/internal/wire/http3"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	"github.com/goodgate/goodgate/proxy"
)

// TestEveryListenerSettingArrives is TestEverySettingArrives for a listener.
func TestEveryListenerSettingArrives(t *testing.T) {
	l := parse(t, `
listeners:
  - address: ":0"
    name: front
    timeouts: {header: 11s, keepalive: 12s, body_idle: 13s, write_idle: 14s}
    max_header: 15KiB
    body_rate: 16B
    max_connections: 17
    connections_per_client: 18
    http2: {max_streams: 19, ping: 20s}
    http3: {max_streams: 21, idle: 22s}
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`).Listeners[0]
	bounds := limit.Connections{Max: 17, PerClient: 18}
	for name, test := range map[string]struct{ got, want any }{
		"connections": {Connections(l), bounds},
		"listener":    {Listener(l), proxy.Listener{Name: ":0", BodyIdle: 13 * time.Second, BodyRate: 16, WriteIdle: 14 * time.Second}},
		"http1":       {HTTP1(l), inbound.Options{Header: 11 * time.Second, KeepAlive: 12 * time.Second, MaxHeader: 15 << 10}},
		"http2": {*HTTP2(l).HTTP2, http.HTTP2Config{
			MaxReadFrameSize: 16 << 10, MaxConcurrentStreams: 19, SendPingTimeout: 20 * time.Second, PingTimeout: 20 * time.Second, WriteByteTimeout: 14 * time.Second,
		}},
		"http3": {HTTP3(l), http3.Options{
			Connections: bounds, MaxHeader: 15 << 10, MaxStreams: 21,
			Header: 11 * time.Second, Keepalive: 12 * time.Second, Idle: 22 * time.Second, WriteIdle: 14 * time.Second,
		}},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, test.got, test.want)
		}
	}
	if s := HTTP2(l); s.IdleTimeout != 12*time.Second || s.ReadHeaderTimeout != 11*time.Second || s.MaxHeaderBytes != 15<<10 {
		t.Errorf("the server of HTTP/2: got %v, %v and %d", s.IdleTimeout, s.ReadHeaderTimeout, s.MaxHeaderBytes)
	}
}

// Connections by QUIC are bounded without a setting too: no descriptor bounds them.
func TestConnectionsOverQUIC(t *testing.T) {
	for max, want := range map[int]int{0: mostClients, 5: 5, 1_000_000: 1_000_000} {
		if got := HTTP3(config.Listener{MaxConnections: max, ConnectionsPerClient: 3}).Connections; got.Max != want || got.PerClient != 3 {
			t.Errorf("max_connections %d: got %+v, want %d and 3", max, got, want)
		}
	}
}
