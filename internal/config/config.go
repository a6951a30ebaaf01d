package config

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
)

// Config is a whole configuration, defaults filled in. The zero value is not useful: see [Load], [Parse], [Sidecar].
type Config struct {
	Listeners      []Listener      `yaml:"listeners" opt:"required" example:"[\":8080\"]" help:"Where clients connect."`
	TrustedProxies []netip.Prefix  `yaml:"trusted_proxies" default:"[]" help:"Networks of the proxies in front, which are believed trusted_headers."`
	TrustedHeaders []string        `yaml:"trusted_headers" default:"[X-Forwarded-For, X-Forwarded-Proto, X-Request-Id]" format:"header" help:"Headers that trusted_proxies set in every request; everyone else's are dropped. The first that tells an address tells the client's."`
	DropHeaders    []string        `yaml:"drop_headers" default:"[Proxy, X-Original-Url, X-Rewrite-Url, X-Original-Host, X-Forwarded, Forwarded-For, X-Original-Forwarded-For, Client-Ip, X-Client-Ip, X-Cluster-Client-Ip, True-Client-Ip, Cf-Connecting-Ip, Cf-Connecting-Ipv6, Fastly-Client-Ip, Fly-Client-Ip, X-Azure-Clientip, X-Proxyuser-Ip, X-Remote-Ip, X-Remote-Addr, X-Originating-Ip, Proxy-Client-Ip, Wl-Proxy-Client-Ip]" format:"header" help:"Headers taken off requests besides Forwarded, X-Forwarded-* and X-Real-IP, unless trusted_headers has them: applications take them for the word of a proxy."`
	Admin          Admin           `yaml:"admin" help:"The operator's API."`
	Log            Log             `yaml:"log" help:"The log: one record per request, and what happens to upstreams."`
	Tracing        Tracing         `yaml:"tracing" help:"OpenTelemetry traces: a span for each request and one for each attempt."`
	Events         Events          `yaml:"events" help:"Who is told at once of what happens to pools."`
	Zone           Zone            `yaml:"zone" help:"Where this goodgate runs, so that requests stay there."`
	State          State           `yaml:"state" help:"What operators change while goodgate runs."`
	Fleet          *Fleet          `yaml:"fleet" help:"Several instances that serve the same traffic; left out = this one is alone."`
	Shutdown       Shutdown        `yaml:"shutdown" help:"How the process ends."`
	Errors         ErrorPages      `yaml:"errors" help:"What the client sees of an error that goodgate answers itself."`
	Via            string          `yaml:"via" default:"goodgate" format:"via" help:"Pseudonym in the Via header (RFC 9110 section 7.6.3); empty sends no Via header."`
	Routes         []Route         `yaml:"routes" help:"Which requests go where; the first match wins. With one pool and no routes everything goes there."`
	Pools          map[string]Pool `yaml:"pools" format:"name" help:"Groups of upstreams that serve the same application, by name."`

	from place
}

// place is where a configuration was read.
type place struct {
	file string
	text []byte
	at   positions
}

// Source returns the name of the file that the configuration was read from, and what it held, secrets included; nil when
// it came from flags. The text must not be changed.
func (c *Config) Source() (name string, text []byte) { return c.from.file, c.from.text }

// Errorf returns an error about a key, such as pools.api.tls.ca, with its place in the file that the configuration was
// read from.
func (c *Config) Errorf(path, format string, args ...any) Error {
	p := c.from.at.of(path)
	return Error{c.from.file, p.line, p.column, path, fmt.Sprintf(format, args...)}
}

// Listener is one address that accepts clients.
type Listener struct {
	Address   string           `yaml:"address" opt:"shorthand,required" format:"listen" example:"\":8080\"" help:"host:port, :port, unix:/path.sock, or fd:NAME for a socket that systemd opens."`
	Name      string           `yaml:"name" default:"" format:"name" help:"Name for match.listener, unique; the address does as well."`
	Mode      fs.FileMode      `yaml:"mode" default:"0660" help:"Permissions of the socket file, octal; for unix sockets."`
	Timeouts  ListenerTimeouts `yaml:"timeouts" help:"How long a client may keep goodgate waiting."`
	MaxHeader Size             `yaml:"max_header" default:"64KiB" min:"1KiB" max:"16MiB" help:"Largest request header."`
	BodyRate  Size             `yaml:"body_rate" default:"500B" min:"1B" max:"1GiB" zero:"no limit" help:"Least bytes a second of a request body of known length, on average after timeouts.body_idle of waiting for the client."`
	Limits    Limits           `yaml:"limits" help:"Which requests are let in."`
	TLS       *ListenerTLS     `yaml:"tls" help:"Clients come by TLS."`
	HTTP2     ListenerHTTP2    `yaml:"http2" help:"HTTP/2 with clients."`
	HTTP3     ListenerHTTP3    `yaml:"http3" help:"HTTP/3 with clients that come by TLS."`
	Proxied   []netip.Prefix   `yaml:"proxy_protocol" default:"[]" opt:"single" help:"Networks whose connections begin with the PROXY protocol, version 1 or 2, which says who the client is; nobody else's may."`

	MaxConnections       int `yaml:"max_connections" default:"0" min:"1" max:"10000000" zero:"three quarters of the file descriptors, for all listeners together" help:"Client connections at once; more wait to be accepted."`
	ConnectionsPerClient int `yaml:"connections_per_client" default:"0" min:"1" max:"1000000" zero:"no limit" help:"Client connections at once from one address (of IPv6 one /64); more are closed."`
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

// ListenerTLS says how clients come by TLS.
type ListenerTLS struct {
	Certificates []Certificate `yaml:"certificates" help:"Certificates; a client gets the first that has the name it asks for, else the first of all. They are read again when their files change."`
	ACME         *ACME         `yaml:"acme" help:"Certificates that are got and renewed by ACME (RFC 8555), for names that no file above has."`
	MinVersion   string        `yaml:"min_version" default:"1.2" enum:"1.2|1.3" help:"Oldest version of TLS."`
	ClientCA     string        `yaml:"client_ca" opt:"file" help:"PEM file with the authorities of client certificates; empty asks for none."`
	ClientAuth   string        `yaml:"client_auth" default:"required" enum:"required|optional" help:"Whether a client must show a certificate; one that is shown must be good."`
}

// ACME says how certificates are got from an authority.
type ACME struct {
	Hosts       []string `yaml:"hosts" opt:"required,single" format:"acmehost" example:"[www.example.com]" help:"Names to get a certificate for, one each; no other is ever ordered."`
	AcceptTerms bool     `yaml:"accept_terms" opt:"required" example:"true, if you agree to its terms of service" help:"true agrees to the authority's terms of service, without which it issues nothing."`
	Email       string   `yaml:"email" default:"" format:"email" help:"Address that the authority is told; empty tells none."`
	Directory   string   `yaml:"directory" default:"https://acme-v02.api.letsencrypt.org/directory" format:"endpoint" help:"The authority's directory, by https."`
	Cache       string   `yaml:"cache" default:"/var/lib/goodgate/acme" opt:"file" help:"Folder in which keys and certificates are kept; goodgate must be able to write there."`
	CA          string   `yaml:"ca" default:"" opt:"file" help:"PEM file with the authorities of the directory's own certificate; empty means the system's."`
	EAB         EAB      `yaml:"eab" help:"Account with the authority that this one belongs to (external account binding), which some ask for."`
	Challenge   string   `yaml:"challenge" default:"any" enum:"any|tls-alpn|http" help:"How the authority sees that a host is here: by TLS (port 443), by HTTP at a listener without TLS (port 80), or the one and then the other."`
}

// EAB names an account that an authority knows already (RFC 8555 section 7.3.4).
type EAB struct {
	KID     string `yaml:"kid" default:"" help:"Key identifier that the authority gave; empty binds to none."`
	HMACKey Secret `yaml:"hmac_key" default:"" help:"Key that the authority gave, in base64url."`
}

// MAC returns the key's bytes; nil when it is none.
func (e EAB) MAC() []byte {
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(e.HMACKey), "="))
	if err != nil {
		return nil
	}
	return key
}

// Certificate is where one certificate comes from.
type Certificate struct {
	Cert string `yaml:"cert" opt:"file,required" example:"/etc/goodgate/www.example.com.pem" help:"PEM file with the certificate and its chain."`
	Key  string `yaml:"key" opt:"file,required" example:"/etc/goodgate/www.example.com.key" help:"PEM file with its key."`
	OCSP string `yaml:"ocsp" default:"" opt:"file" help:"DER file with an OCSP response that is sent along; empty sends none."`
}

// ListenerHTTP2 says how HTTP/2 is spoken with clients.
type ListenerHTTP2 struct {
	Enabled    bool     `yaml:"enabled" default:"true" help:"Offer HTTP/2 to clients that come by TLS."`
	Cleartext  bool     `yaml:"cleartext" default:"false" help:"Take HTTP/2 without TLS from clients that begin with it (h2c with prior knowledge)."`
	MaxStreams int      `yaml:"max_streams" default:"128" min:"1" max:"10000" help:"Requests at once on one connection."`
	MaxResets  int      `yaml:"max_resets" default:"250" min:"1" max:"1000000" zero:"no limit" help:"Requests that a client may cancel within a second; a connection with more is closed if they are more than half of its requests."`
	Ping       Duration `yaml:"ping" default:"30s" min:"1s" max:"1h" zero:"never" help:"Silence until a client is asked for a sign of life; it has as long to give one."`
}

// ListenerHTTP3 says how HTTP/3 is spoken with clients.
type ListenerHTTP3 struct {
	Enabled    bool     `yaml:"enabled" default:"false" help:"Take HTTP/3 as well, on UDP at the same address and port, with TLS 1.3."`
	MaxStreams int      `yaml:"max_streams" default:"128" min:"1" max:"10000" help:"Requests at once on one connection."`
	MaxResets  int      `yaml:"max_resets" default:"250" min:"1" max:"1000000" zero:"no limit" help:"Requests that a client may cancel within a second; a connection with more is closed if they are more than half of its requests."`
	Idle       Duration `yaml:"idle" default:"30s" min:"1s" max:"1h" help:"Silence on a connection until the client is taken for gone; at half of it the client is asked for a sign of life."`
	MaxAge     Duration `yaml:"max_age" default:"24h" min:"1s" max:"8760h" zero:"clients are not told" help:"How long clients may remember from Alt-Svc that HTTP/3 is spoken here."`
	Port       int      `yaml:"port" default:"0" min:"1" max:"65535" zero:"the listener's" help:"UDP port that clients are told, when what stands in front maps another to the listener's."`
}

// ListenerTimeouts are the waits on the client's side.
type ListenerTimeouts struct {
	Header    Duration `yaml:"header" default:"10s" min:"10ms" max:"10m" help:"For the whole request header."`
	BodyIdle  Duration `yaml:"body_idle" default:"30s" min:"10ms" max:"1h" zero:"no limit" help:"Between two parts of a request body."`
	WriteIdle Duration `yaml:"write_idle" default:"30s" min:"10ms" max:"1h" zero:"no limit" help:"For the client to take the next part of a response."`
	Keepalive Duration `yaml:"keepalive" default:"75s" min:"100ms" max:"1h" help:"How long an idle client connection is kept; longer than what stands in front keeps it (nginx: 60s)."`
}

// Admin is the operator's API.
type Admin struct {
	Address string   `yaml:"address" opt:"shorthand" default:"" format:"listen" help:"host:port or unix:/path.sock; empty means none. Any other than a loopback address or a socket needs a token."`
	Token   Secret   `yaml:"token" default:"" help:"What requests must bring as Authorization: Bearer, at least 16 bytes; empty asks for none."`
	Tokens  []Token  `yaml:"tokens" help:"More of them, each with the name that the log and the status give its changes."`
	Hosts   []string `yaml:"hosts" default:"[]" format:"dnsname" help:"Names under which the API may be asked, besides addresses and localhost."`
	Flight  Duration `yaml:"flight" default:"0s" min:"1s" max:"1m" zero:"off" help:"How much of the latest execution is kept in memory for /debug/flight."`
}

// Token lets in who brings it.
type Token struct {
	Name  string `yaml:"name" opt:"required" format:"name" example:"ci" help:"Who brings it, such as ci; admin and local are taken."`
	Token Secret `yaml:"token" opt:"required" example:"${CI_TOKEN}" help:"What requests bring as Authorization: Bearer, at least 16 bytes."`
}

// Secured reports whether requests need a token.
func (a Admin) Secured() bool { return a.Token != "" || len(a.Tokens) > 0 }

// Network returns the arguments for [net.Listen].
func (a Admin) Network() (network, address string) { return Listener{Address: a.Address}.Network() }

// Log says how and where the log is written.
type Log struct {
	Format string `yaml:"format" default:"auto" enum:"auto|human|json|text|common|combined" help:"Form of a record: auto is human on a terminal, else json; common and combined are nginx's, and what is not about a request goes to stderr then."`
	Level  string `yaml:"level" default:"info" enum:"debug|info|warn|error" help:"Least important record written."`
	Output string `yaml:"output" default:"stderr" format:"output" help:"stderr, stdout or a file name."`
	Sample Ratio  `yaml:"sample" default:"100%" min:"0%" max:"100%" help:"Share of the requests that went well that are logged; those that failed, or nearly did, always are."`
	Buffer Size   `yaml:"buffer" default:"1MiB" min:"64KiB" max:"1GiB" help:"How much waits for a slow file; what comes beyond that is dropped and counted."`
}

// Tracing says where traces go. Without an endpoint nothing is traced, and what a client sends of a trace is passed on.
type Tracing struct {
	Endpoint string  `yaml:"endpoint" default:"" format:"endpoint" help:"URL that takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; empty turns tracing off."`
	Sample   Ratio   `yaml:"sample" default:"10%" min:"0%" max:"100%" help:"Share of the requests that are recorded; a trusted proxy's own decision is followed."`
	Service  string  `yaml:"service" default:"goodgate" opt:"public" help:"Name of the service in the traces."`
	Headers  Headers `yaml:"headers" format:"header" help:"Headers sent to the endpoint, such as a key."`
}

// Events says who is told of what happens to pools.
type Events struct {
	Webhook Webhook `yaml:"webhook" help:"A server that gets each event as JSON."`
}

// Webhook is a server that is told of events. Without a URL nobody is.
type Webhook struct {
	URL     string   `yaml:"url" default:"" format:"endpoint" help:"Where events are sent by POST, such as https://ops.example.com/goodgate; empty sends none."`
	Secret  Secret   `yaml:"secret" default:"" help:"Signs each event (Goodgate-Signature), at least 16 bytes; empty signs none."`
	On      []string `yaml:"on" default:"[upstream, floor, saturation, reload, split]" enum:"upstream|floor|saturation|reload|split" help:"Which events: an upstream goes down or comes back, a pool has fewer upstreams than its floor, more is asked of it than it can do, the configuration could not be reloaded, the guard of a split has sent everything back to its first pool."`
	Floor   Ratio    `yaml:"floor" default:"50%" min:"0%" max:"100%" help:"Share of a pool's upstreams that should be available."`
	Timeout Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"For one try; an event is tried seven times."`
}

// State says where it is kept what operators change while goodgate runs.
type State struct {
	File string `yaml:"file" default:"" opt:"file" help:"File that keeps what operators change by API and command: drains, weights, upstreams. Empty means state.json in the folder that systemd gives (StateDirectory=), else such changes end with goodgate."`
}

// Shutdown says how the process ends.
type Shutdown struct {
	LameDuck Duration `yaml:"lame_duck" default:"5s" min:"0s" max:"10m" help:"After the signal, how long new requests are still served, while every response says Connection: close."`
	Grace    Duration `yaml:"grace" default:"30s" min:"0s" max:"1h" help:"After that, how long running requests may take to end."`
	Tunnels  Duration `yaml:"tunnels" default:"0s" min:"100ms" max:"24h" zero:"as long as grace" help:"After lame_duck, how long WebSockets and other upgraded connections may stay."`
}

// ErrorPages says what a client sees of an error that goodgate answers itself.
type ErrorPages struct {
	HTML    string `yaml:"html" default:"" opt:"file" help:"Template file of the page for clients that accept HTML; empty uses the built-in one."`
	JSON    string `yaml:"json" default:"" opt:"file" help:"Template file of the answer for clients that accept JSON; empty uses the built-in one."`
	Dir     string `yaml:"dir" default:"" opt:"file" help:"Folder with pages by status or class, such as 404.html, 5xx.html, 503.json and 4xx.txt, which take the place of the others; empty = none."`
	Details bool   `yaml:"details" default:"false" help:"Tell clients the upstream's name (next-hop in Proxy-Status, RFC 9209)."`
}
