package config

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
)

// Config is a complete configuration, with defaults filled in. The zero value is not useful: see [Load], [Parse],
// [Sidecar].
type Config struct {
	Listeners      []Listener      `yaml:"listeners" opt:"required" example:"[\":8080\"]" help:"Addresses that accept clients."`
	TrustedProxies []netip.Prefix  `yaml:"trusted_proxies" default:"[]" help:"Networks of the proxies in front of goodgate. goodgate accepts trusted_headers from them."`
	TrustedHeaders []string        `yaml:"trusted_headers" default:"[X-Forwarded-For, X-Forwarded-Proto, X-Request-Id]" format:"header" help:"Headers that trusted_proxies set in every request; goodgate drops them from all other clients. The first of these headers that has an address gives the client's address."`
	DropHeaders    []string        `yaml:"drop_headers" default:"[Proxy, X-Original-Url, X-Original-Uri, X-Original-Method, X-Rewrite-Url, X-Original-Host, X-Host, X-Http-Host-Override, X-Forwarded, Forwarded-For, X-Original-Forwarded-For, Client-Ip, X-Client-Ip, X-Cluster-Client-Ip, True-Client-Ip, Cf-Connecting-Ip, Cf-Connecting-Ipv6, Fastly-Client-Ip, Fly-Client-Ip, X-Azure-Clientip, X-Proxyuser-Ip, X-Remote-Ip, X-Remote-Addr, X-Originating-Ip, Proxy-Client-Ip, Wl-Proxy-Client-Ip]" format:"header" help:"Headers to remove from requests, in addition to Forwarded, X-Forwarded-* and X-Real-IP. Some applications trust them as if a proxy had set them. Headers in trusted_headers stay."`
	Admin          Admin           `yaml:"admin" help:"The admin API for operators."`
	Log            Log             `yaml:"log" help:"The log: a record for each request, and events of upstreams."`
	Tracing        Tracing         `yaml:"tracing" help:"OpenTelemetry traces: a span for each request and one for each attempt."`
	Metrics        Metrics         `yaml:"metrics" help:"Where goodgate sends its metrics. /metrics of the admin listener has the same metrics."`
	Events         Events          `yaml:"events" help:"Where goodgate reports events of pools."`
	Zone           Zone            `yaml:"zone" help:"Location of this goodgate: requests stay in its zone."`
	State          State           `yaml:"state" help:"Storage for the changes that operators make while goodgate runs."`
	Fleet          *Fleet          `yaml:"fleet" help:"Several instances that serve the same traffic; absent means a single instance."`
	Shutdown       Shutdown        `yaml:"shutdown" help:"The end of the process: connection draining."`
	Errors         ErrorPages      `yaml:"errors" help:"Pages for goodgate's own errors."`
	Via            string          `yaml:"via" default:"goodgate" format:"via" help:"Name in the Via header (RFC 9110 section 7.6.3); empty sends no Via header."`
	Routes         []Route         `yaml:"routes" help:"Rules that lead requests to pools; the first match wins. With one pool and no routes, all requests go to that pool."`
	Pools          map[string]Pool `yaml:"pools" format:"name" help:"Groups of upstreams that serve the same application, by name."`

	from place
}

// place is the origin of a configuration.
type place struct {
	texts *texts
	files []File // the main file first
	at    positions
}

// Source returns the files that the configuration was read from, the main one first; nil for one from flags. They must
// not be changed.
func (c *Config) Source() []File { return c.from.files }

// KeyName returns the name of a key for messages: its path, or the flag that set it if the configuration came from flags.
func (c *Config) KeyName(path string) string {
	if c.from.files == nil {
		return flagOf(path)
	}
	return path
}

// Errorf returns an error about a key, for example pools.api.tls.ca, with its place in the file.
func (c *Config) Errorf(path, format string, args ...any) Error {
	p := c.from.at.of(path)
	file, line := c.from.texts.place(p.line)
	return Error{file, line, p.column, path, fmt.Sprintf(format, args...)}
}

// Listener is one address that accepts clients.
type Listener struct {
	Address   string           `yaml:"address" opt:"shorthand,required" format:"listen" example:"\":8080\"" help:"host:port, :port, unix:/path.sock, or fd:NAME for a socket that systemd opens."`
	Name      string           `yaml:"name" default:"" format:"name" example:"public" help:"Unique name for match.listener, which also accepts the address."`
	Mode      fs.FileMode      `yaml:"mode" default:"0660" help:"Permissions of the file of a Unix socket."`
	Timeouts  ListenerTimeouts `yaml:"timeouts" help:"Timeouts for clients."`
	MaxHeader Size             `yaml:"max_header" default:"64KiB" min:"1KiB" max:"16MiB" help:"Largest request header."`
	BodyRate  Size             `yaml:"body_rate" default:"500B" min:"1B" max:"1GiB" zero:"no limit" help:"Minimum average rate, per second, of a request body of known length. It applies once goodgate has waited for the client for timeouts.body_idle in total."`
	Limits    Limits           `yaml:"limits" help:"Admission of requests: rate limits, concurrency, size."`
	TLS       *ListenerTLS     `yaml:"tls" help:"TLS with clients."`
	HTTP2     ListenerHTTP2    `yaml:"http2" help:"HTTP/2 with clients."`
	HTTP3     ListenerHTTP3    `yaml:"http3" help:"HTTP/3 with clients that use TLS."`
	Proxied   []netip.Prefix   `yaml:"proxy_protocol" default:"[]" opt:"single" help:"Networks whose connections must begin with the PROXY protocol, version 1 or 2, which gives the client's address. Connections from other networks must not begin with it."`

	MaxConnections       int `yaml:"max_connections" default:"0" min:"1" max:"10000000" zero:"three quarters of the file descriptors, for all listeners together" help:"Concurrent client connections. Further ones wait until one ends; over HTTP/3, goodgate refuses them."`
	ConnRequests         int `yaml:"requests_per_connection" default:"0" min:"1" max:"1000000000" zero:"no limit" help:"Requests on a client's connection. After these, goodgate closes the connection when its current requests end."`
	ConnectionsPerClient int `yaml:"connections_per_client" default:"0" min:"1" max:"1000000" zero:"no limit" help:"Concurrent client connections from one address (IPv6: one /64); goodgate resets further ones (over HTTP/3, it refuses them)."`
}

// Network returns the arguments for [net.Listen]: "tcp" or "unix", and the address without its "unix:" prefix; or "fd" and
// the name of a socket that systemd opens.
func (l Listener) Network() (network, address string) {
	if name, ok := strings.CutPrefix(l.Address, fdPrefix); ok {
		return "fd", name
	}
	if path, ok := strings.CutPrefix(l.Address, unixPrefix); ok {
		return "unix", path
	}
	return "tcp", l.Address
}

// ListenerTLS configures TLS for clients.
type ListenerTLS struct {
	Certificates []Certificate `yaml:"certificates" help:"Certificates. A client gets the first one that has the requested name, else the first of the list. goodgate reads the files again on change."`
	ACME         *ACME         `yaml:"acme" help:"Certificates that goodgate obtains and renews by ACME (RFC 8555), for names that no file in certificates has."`
	OCSPStapling bool          `yaml:"ocsp_stapling" default:"true" help:"Get OCSP responses for the certificates from their issuers, and send them in handshakes. This applies to certificates that name an OCSP responder and have no file in ocsp."`
	MinVersion   string        `yaml:"min_version" default:"1.2" enum:"1.2|1.3" help:"Oldest version of TLS."`
	ClientCA     string        `yaml:"client_ca" opt:"file" example:"/etc/goodgate/clients.pem" help:"PEM file with the authorities of client certificates; when absent, goodgate requests none."`
	ClientCRL    []string      `yaml:"client_crl" default:"[]" opt:"file,single" example:"[/etc/goodgate/clients.crl]" help:"Files with certificate revocation lists of client_ca's authorities, in PEM or DER. goodgate refuses revoked certificates, and those whose issuer has no current list. It reads the files again on change."`
	ClientAuth   string        `yaml:"client_auth" default:"required" enum:"required|optional" help:"Whether a client must send a certificate. A certificate that a client sends must be valid."`
}

// ACME configures the certificates obtained from an authority.
type ACME struct {
	Hosts       []string `yaml:"hosts" opt:"required,single" format:"acmehost" example:"[www.example.com]" help:"Names to obtain certificates for, one certificate each; goodgate orders no other. A wildcard such as *.example.com needs dns."`
	AcceptTerms bool     `yaml:"accept_terms" opt:"required" example:"true, if you agree to the authority's terms of service" help:"Must be true: you agree to the authority's terms of service."`
	Email       string   `yaml:"email" default:"" format:"email" help:"Contact address for the authority; empty sends none."`
	Directory   string   `yaml:"directory" default:"https://acme-v02.api.letsencrypt.org/directory" format:"endpoint" help:"URL of the authority's directory; https only."`
	Cache       string   `yaml:"cache" default:"/var/lib/goodgate/acme" opt:"file" help:"Folder for keys and certificates; goodgate needs write access."`
	CA          string   `yaml:"ca" default:"" opt:"file" example:"/etc/goodgate/authority.pem" help:"PEM file with the authorities that signed the directory's own certificate; empty means the system's."`
	EAB         EAB      `yaml:"eab" help:"External account binding: links the ACME account to an account at the authority. Some authorities require it."`
	Challenge   string   `yaml:"challenge" default:"any" enum:"any|tls-alpn|http|dns" help:"How the authority verifies a host: tls-alpn (port 443), http (port 80, at a listener without TLS), dns (a DNS record), or any: dns if it is configured, else first tls-alpn, then http. Wildcards always use dns."`
	DNS         *ACMEDNS `yaml:"dns" help:"How goodgate creates the DNS record for the dns challenge; absent means not at all."`
}

// EAB identifies an existing account at an authority (RFC 8555 section 7.3.4).
type EAB struct {
	KID     string `yaml:"kid" default:"" example:"kid-1" help:"Key identifier from the authority; empty binds no account."`
	HMACKey Secret `yaml:"hmac_key" default:"" example:"\"${EAB_HMAC_KEY}\"" help:"Key from the authority, in base64url."`
}

// MAC returns the bytes of the key; nil if it is invalid.
func (e EAB) MAC() []byte {
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(e.HMACKey), "="))
	if err != nil {
		return nil
	}
	return key
}

// Certificate is the source of one certificate.
type Certificate struct {
	Cert string `yaml:"cert" opt:"file,required" example:"/etc/goodgate/www.example.com.pem" help:"PEM file with the certificate and its chain."`
	Key  string `yaml:"key" opt:"file,required" example:"/etc/goodgate/www.example.com.key" help:"PEM file with the key of cert."`
	OCSP string `yaml:"ocsp" default:"" opt:"file" example:"/etc/goodgate/www.example.com.der" help:"DER file with an OCSP response to staple, instead of one from the issuer (ocsp_stapling)."`
}

// ListenerHTTP2 configures HTTP/2 for clients.
type ListenerHTTP2 struct {
	Enabled    bool     `yaml:"enabled" default:"true" help:"Offer HTTP/2 to clients that use TLS."`
	Cleartext  bool     `yaml:"cleartext" default:"false" help:"Accept HTTP/2 without TLS from clients with prior knowledge (h2c)."`
	MaxStreams int      `yaml:"max_streams" default:"128" min:"1" max:"10000" help:"Concurrent requests on one connection."`
	MaxResets  int      `yaml:"max_resets" default:"250" min:"1" max:"1000000" zero:"no limit" help:"Requests that a client may cancel on one connection, each less than a second after sending it. At this number, goodgate closes the connection if they are more than half of its requests."`
	Ping       Duration `yaml:"ping" default:"30s" min:"1s" max:"1h" zero:"never" help:"Silence after which goodgate pings the client. The client then has the same time to answer."`
}

// ListenerHTTP3 configures HTTP/3 for clients.
type ListenerHTTP3 struct {
	Enabled    bool     `yaml:"enabled" default:"false" help:"Accept HTTP/3 as well, on UDP at the same address and port, with TLS 1.3."`
	MaxStreams int      `yaml:"max_streams" default:"128" min:"1" max:"10000" help:"Concurrent requests on one connection."`
	MaxResets  int      `yaml:"max_resets" default:"250" min:"1" max:"1000000" zero:"no limit" help:"Requests that a client may cancel on one connection, each less than a second after sending it. At this number, goodgate closes the connection if they are more than half of its requests."`
	Idle       Duration `yaml:"idle" default:"30s" min:"1s" max:"1h" help:"Silence after which goodgate closes the connection. After half of it, goodgate pings the client."`
	MaxAge     Duration `yaml:"max_age" default:"24h" min:"1s" max:"8760h" zero:"no offer" help:"How long clients may remember the offer of HTTP/3 (Alt-Svc)."`
	Port       int      `yaml:"port" default:"0" min:"1" max:"65535" zero:"the listener's" help:"UDP port to offer to clients, if a device in front maps another port to the listener's."`
}

// ListenerTimeouts are the timeouts for clients.
type ListenerTimeouts struct {
	Header    Duration `yaml:"header" default:"10s" min:"10ms" max:"10m" help:"Longest time for the whole request header."`
	BodyIdle  Duration `yaml:"body_idle" default:"30s" min:"10ms" max:"1h" zero:"no limit" help:"Longest pause within a request body."`
	WriteIdle Duration `yaml:"write_idle" default:"30s" min:"10ms" max:"1h" zero:"no limit" help:"Longest wait until the client takes more of a response."`
	Keepalive Duration `yaml:"keepalive" default:"75s" min:"100ms" max:"1h" help:"How long an idle client connection stays open. Set a longer time than that of the proxy in front (nginx: 60s)."`
	Age       Duration `yaml:"connection_age" default:"0s" min:"1s" max:"8760h" zero:"no limit" help:"Maximum age of a connection, less a random part of up to a tenth. Then goodgate closes it when its current requests end, so that a TCP load balancer in front can distribute clients anew."`
}

// Admin is the operator's API.
type Admin struct {
	Address string   `yaml:"address" opt:"shorthand" default:"" format:"listen" help:"host:port or unix:/path.sock; empty opens no listener. An address that other machines reach needs a token."`
	Token   Secret   `yaml:"token" default:"" format:"headervalue" example:"\"${ADMIN_TOKEN}\"" help:"Token that requests need (Authorization: Bearer), at least 16 bytes; empty requires none."`
	Tokens  []Token  `yaml:"tokens" help:"More tokens, each with a name. The log and the status show this name as the author of changes."`
	Hosts   []string `yaml:"hosts" default:"[]" format:"dnsname" example:"[gate.example.com]" help:"Host names that requests to the API may use, besides addresses and localhost."`
	Flight  Duration `yaml:"flight" default:"0s" min:"1s" max:"1m" zero:"off" help:"How much of the latest execution trace stays in memory for /debug/flight (Go's flight recorder)."`
}

// Token authenticates its bearer.
type Token struct {
	Name  string `yaml:"name" opt:"required" format:"name" example:"ci" help:"Name of the token's owner, such as ci; admin and local are reserved."`
	Token Secret `yaml:"token" opt:"required" format:"headervalue" example:"\"${CI_TOKEN}\"" help:"Token that requests send (Authorization: Bearer), at least 16 bytes."`
}

// Secured reports whether requests need a token.
func (a Admin) Secured() bool { return a.Token != "" || len(a.Tokens) > 0 }

// Network returns the arguments for [net.Listen].
func (a Admin) Network() (network, address string) { return Listener{Address: a.Address}.Network() }

// Tracing configures the destination of traces. Without an endpoint goodgate traces nothing, and passes on a client's
// trace headers.
type Tracing struct {
	Endpoint string  `yaml:"endpoint" default:"" format:"endpoint" help:"OTLP endpoint over HTTP, such as http://127.0.0.1:4318/v1/traces. goodgate adds /v1/traces to a URL without a path. Empty turns tracing off."`
	Sample   Ratio   `yaml:"sample" default:"10%" min:"0%" max:"100%" help:"Share of the requests to record. The decision of a trusted proxy takes precedence."`
	Service  string  `yaml:"service" default:"goodgate" opt:"public" help:"Service name in the traces."`
	Headers  Headers `yaml:"headers" format:"header" example:"{X-Api-Key: \"${OTLP_KEY}\"}" help:"Headers for the endpoint, such as an API key."`
	TLS      TLS     `yaml:"tls" examples:"server_name=otel.example.com" help:"TLS with the endpoint."`
}

// Metrics configures the destination of metrics. Without an endpoint goodgate sends none.
type Metrics struct {
	Endpoint    string   `yaml:"endpoint" default:"" format:"endpoint" example:"\"http://127.0.0.1:4318/v1/metrics\"" help:"OTLP endpoint over HTTP, such as http://127.0.0.1:4318/v1/metrics. goodgate adds /v1/metrics to a URL without a path. Empty sends no metrics."`
	Interval    Duration `yaml:"interval" default:"1m" min:"1s" max:"1h" help:"Time between two exports."`
	Headers     Headers  `yaml:"headers" format:"header" example:"{X-Api-Key: \"${OTLP_KEY}\"}" help:"Headers for the endpoint, such as an API key."`
	Compression string   `yaml:"compression" default:"gzip" enum:"gzip|none" help:"Compression of what goodgate sends."`
	Service     string   `yaml:"service" default:"" opt:"public" help:"Service name of the metrics; empty means tracing.service."`
	Instance    string   `yaml:"instance" default:"" opt:"public" help:"Name of this instance in the metrics (service.instance.id); empty means the host's name."`
	TLS         TLS      `yaml:"tls" examples:"server_name=otel.example.com" help:"TLS with the endpoint."`
}

// Events configures the notifications about events of pools.
type Events struct {
	Webhook Webhook `yaml:"webhook" help:"HTTP server that receives each event as JSON."`
}

// Webhook is a server that receives events; without a URL, none does.
type Webhook struct {
	URL     string   `yaml:"url" default:"" format:"endpoint" example:"https://ops.example.com/goodgate" help:"URL that receives events by POST; empty sends none."`
	Secret  Secret   `yaml:"secret" default:"" example:"\"${WEBHOOK_SECRET}\"" help:"Key that signs each event (Goodgate-Signature), at least 16 bytes; empty signs none."`
	On      []string `yaml:"on" default:"[upstream, floor, saturation, reload, split]" enum:"upstream|floor|saturation|reload|split" help:"Events to send. upstream: an upstream went down or recovered. floor: a pool has too few available upstreams. saturation: a pool is overloaded. reload: a reload failed. split: a guard sent all requests back to the first pool."`
	Floor   Ratio    `yaml:"floor" default:"50%" min:"0%" max:"100%" help:"Smallest share of a pool's upstreams that should be available. Below it, goodgate sends a floor event."`
	Timeout Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one attempt; goodgate sends an event up to seven times."`
}

// State is the place of the state file, which keeps the operators' changes.
type State struct {
	File string `yaml:"file" default:"" opt:"file" example:"/var/lib/goodgate/state.json" help:"File for the changes that operators make by API and command: drains, weights, upstreams. Empty means state.json in systemd's StateDirectory=. Without a StateDirectory=, such changes end with the process."`
}

// Shutdown configures the end of the process.
type Shutdown struct {
	LameDuck Duration `yaml:"lame_duck" default:"5s" min:"0s" max:"10m" help:"How long goodgate accepts new requests after the signal. Every response then has Connection: close."`
	Grace    Duration `yaml:"grace" default:"30s" min:"0s" max:"1h" help:"How long requests in flight may take after lame_duck."`
	Tunnels  Duration `yaml:"tunnels" default:"0s" min:"100ms" max:"24h" zero:"as long as grace" help:"How long WebSockets and other upgraded connections may stay open after lame_duck."`
}

// ErrorPages configures the responses that goodgate itself sends for errors.
type ErrorPages struct {
	HTML    string `yaml:"html" default:"" opt:"file" example:"/etc/goodgate/error.html" help:"Template file of the page for clients that accept HTML; empty uses the built-in page."`
	JSON    string `yaml:"json" default:"" opt:"file" example:"/etc/goodgate/error.json" help:"Template file of the answer for clients that accept JSON; empty uses the built-in answer."`
	Dir     string `yaml:"dir" default:"" opt:"file" example:"/etc/goodgate/errors" help:"Folder with pages by status or class, such as 404.html, 5xx.html, 503.json and 4xx.txt. They take precedence over html and json."`
	Details bool   `yaml:"details" default:"false" help:"Send clients the upstream's name (next-hop in Proxy-Status, RFC 9209)."`
}
