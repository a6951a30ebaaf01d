package assemble

import (
	"cmp"
	"net/http"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/limit"
	"github.com/goodgate/goodgate/internal/wire/http3"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	"github.com/goodgate/goodgate/proxy"
)

// mostClients is how many connections a listener without max_connections has by
// QUIC. They take no file descriptor, which bounds those by TCP, and about 100 KB of
// memory each. Clients that are refused come by TCP.
const mostClients = 10_000

// Connections returns the bounds on a listener's connections by TCP. Its Max is 0
// without max_connections: how many files may be open decides then.
func Connections(l config.Listener) limit.Connections {
	return limit.Connections{Max: l.MaxConnections, PerClient: l.ConnectionsPerClient}
}

// Listener returns what the proxy grants the clients of a listener. It leaves open
// Limits, which outlive a change of the other settings.
func Listener(l config.Listener) proxy.Listener {
	return proxy.Listener{Name: l.Address, BodyIdle: l.Timeouts.BodyIdle, BodyRate: int64(l.BodyRate), WriteIdle: l.Timeouts.WriteIdle}
}

// HTTP1 returns how HTTP/1.1 is spoken on a listener's connections. It leaves open
// who serves.
func HTTP1(l config.Listener) inbound.Options {
	return inbound.Options{Header: l.Timeouts.Header, KeepAlive: l.Timeouts.Keepalive, Age: l.Timeouts.Age, MaxHeader: int(l.MaxHeader)}
}

// HTTP2 returns what serves a listener's connections of HTTP/2, without a handler.
// Its Protocols are none where HTTP/2 is off.
func HTTP2(l config.Listener) *http.Server {
	s := &http.Server{
		IdleTimeout:                  l.Timeouts.Keepalive,
		ReadHeaderTimeout:            l.Timeouts.Header,
		MaxHeaderBytes:               int(l.MaxHeader),
		DisableGeneralOptionsHandler: true, // OPTIONS * is the application's to answer
		Protocols:                    new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize:     16 << 10, // as RFC 9113 begins with; net/http would take 1 MiB at once
			MaxConcurrentStreams: l.HTTP2.MaxStreams,
			SendPingTimeout:      l.HTTP2.Ping,
			PingTimeout:          l.HTTP2.Ping,
			WriteByteTimeout:     l.Timeouts.WriteIdle,
		},
	}
	s.Protocols.SetHTTP2(l.HTTP2.Enabled && l.TLS != nil)
	s.Protocols.SetUnencryptedHTTP2(l.HTTP2.Cleartext)
	return s
}

// HTTP3 returns how HTTP/3 is spoken with a listener's clients. It leaves open who
// serves. Its connections are bounded without max_connections too.
func HTTP3(l config.Listener) http3.Options {
	return http3.Options{
		Connections: limit.Connections{Max: cmp.Or(l.MaxConnections, mostClients), PerClient: l.ConnectionsPerClient},
		MaxHeader:   int(l.MaxHeader),
		MaxStreams:  l.HTTP3.MaxStreams,
		Header:      l.Timeouts.Header,
		Keepalive:   l.Timeouts.Keepalive,
		Idle:        l.HTTP3.Idle,
		WriteIdle:   l.Timeouts.WriteIdle,
	}
}
