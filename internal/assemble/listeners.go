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

// mostClients bounds the QUIC connections of a listener without max_connections. They
// take no file descriptor, which bounds those over TCP, but about 100 KB of memory each.
// Refused clients use TCP.
const mostClients = 10_000

// Connections returns the limits on a listener's TCP connections. Its Max is 0 without
// max_connections: then the limit on open files decides.
func Connections(l config.Listener) limit.Connections {
	return limit.Connections{Max: l.MaxConnections, PerClient: l.ConnectionsPerClient}
}

// Listener returns the proxy's options for a listener. It leaves out Limits, which
// outlive a change of the other settings.
func Listener(l config.Listener) proxy.Listener {
	return proxy.Listener{Name: l.Address, BodyIdle: l.Timeouts.BodyIdle, BodyRate: int64(l.BodyRate), WriteIdle: l.Timeouts.WriteIdle}
}

// HTTP1 returns the options for HTTP/1.1 on a listener. It leaves out the handler.
func HTTP1(l config.Listener) inbound.Options {
	return inbound.Options{Header: l.Timeouts.Header, KeepAlive: l.Timeouts.Keepalive, Age: l.Timeouts.Age, Requests: l.ConnRequests, MaxHeader: int(l.MaxHeader)}
}

// HTTP2 returns the server for a listener's HTTP/2 connections, without a handler. Its
// Protocols are empty if HTTP/2 is off.
func HTTP2(l config.Listener) *http.Server {
	s := &http.Server{
		IdleTimeout:                  l.Timeouts.Keepalive,
		ReadHeaderTimeout:            l.Timeouts.Header,
		MaxHeaderBytes:               int(l.MaxHeader),
		DisableGeneralOptionsHandler: true, // the application answers OPTIONS *
		Protocols:                    new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize:     16 << 10, // the initial value of RFC 9113; net/http would allow 1 MiB at once
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

// HTTP3 returns the options for HTTP/3 on a listener. It leaves out the handler. Its
// connections have a limit even without max_connections.
func HTTP3(l config.Listener) http3.Options {
	return http3.Options{
		Connections: limit.Connections{Max: cmp.Or(l.MaxConnections, mostClients), PerClient: l.ConnectionsPerClient},
		MaxHeader:   int(l.MaxHeader),
		MaxStreams:  l.HTTP3.MaxStreams,
		Header:      l.Timeouts.Header,
		Keepalive:   l.Timeouts.Keepalive,
		Idle:        l.HTTP3.Idle,
		WriteIdle:   l.Timeouts.WriteIdle,
		Age:         l.Timeouts.Age,
		Requests:    l.ConnRequests,
	}
}
