package doctor

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Target is an upstream to examine, with the proxy's settings for it.
type Target struct {
	Label    string      // its use: a pool, or a place in a configuration
	Group    string      // the pool or upstream block of which it is a member; "" = none
	Addr     string      // host:port with a name or an address, or unix:/path
	Root     string      // the root folder of socket paths; "" = this machine's
	Protocol Protocol    // protocol of the proxy's requests
	Scheme   string      // scheme in the proxy's log; "" = http, or https with TLS
	TLS      *tls.Config // nil = plain HTTP; ServerName "" = the host of Addr
	Insecure bool        // the proxy does not verify the certificate
	Hidden   bool        // the proxy's client certificate is unreadable, so the upstream's answer to it is unknown
	NoSNI    bool        // the proxy sends no name in the handshake
	TLS12    bool        // the proxy needs at least TLS 1.2
	Resolver string      // host:port of the name server; "" = the system's
	Family   string      // "ip4" or "ip6": the proxy uses only this family; "" = both
	Pair     bool        // the proxy uses whichever works of a single IPv4 and a single IPv6 address

	Method string // method of the request; "" = GET
	Path   string // path of the request; "" = "/"
	Host   string // Host header; "" = Addr

	Preface []byte // the first bytes on each connection, before TLS; nil = none

	Dial      time.Duration // the proxy's connect timeout; 0 = unknown
	Response  time.Duration // the proxy's timeout for response headers; 0 = unknown
	Keepalive time.Duration // the proxy's timeout for idle connections; 0 = it keeps none
	Learns    bool          // the proxy learns the upstream's keep-alive timeout
	MaxHeader int           // the proxy's limit on response headers, in bytes; 0 = unknown

	Brief        bool // examine only the request, because another target examines the rest
	HTTPSClients bool // clients use https, and the upstream does not learn this
	User         *User
	Health       *Health
	Words        Words
}

// User is the user that the proxy runs as.
type User struct {
	Name   string
	UID    uint32
	Groups []uint32
}

// Health is the proxy's health check.
type Health struct {
	Method, Path, Host string
	Header             map[string]string
	Passes             func(status int) bool
	Status             string // the statuses that Passes accepts, as text
	Timeout            time.Duration
}

// Words has the proxy's settings, for directives in findings. Each is a format with %s
// for the value, or %[2]s for a socket's path alone. An empty one means that the proxy
// has no such setting.
type Words struct {
	Address    string // address of the upstream: host:port, or unix:/path
	Socket     string // address of a unix socket; "" = as Address
	HTTP       string // the upstream without TLS
	HTTPS      string // the upstream with TLS
	HTTP2      string // the upstream with HTTP/2
	HTTP2TLS   string // the upstream with HTTP/2 over TLS
	FastCGI    string // the upstream with FastCGI
	UWSGI      string // the upstream with uwsgi
	Dial       string
	Response   string
	Keepalive  string
	MaxHeader  string // in KiB
	ServerName string // name in the upstream's certificate
	CA         string // file of the authority
	SNI        string // send the name; no value
	Client     string // the proxy's own certificate; no value
	OldTLS     string // allow versions before TLS 1.2; no value
	PROXY      string // begin connections with the PROXY protocol; the value is the address
	HealthPath string
	Proto      string // pass on that the client used https; no value
	Resolver   string // how to look up names; the value is the name server's address
	OneFamily  string // look up addresses of IPv4 only; no value
}

// address returns the setting of an address, or of a socket in its own form.
func (w Words) address(of string) string {
	if strings.HasPrefix(of, "unix:") && w.Socket != "" {
		return set(w.Socket, of)
	}
	return set(w.Address, of)
}

// set returns a setting with a value, "" if the proxy has no such setting.
func set(format string, value any) string {
	if format == "" {
		return ""
	}
	if d, ok := value.(time.Duration); ok {
		value = span(d)
	}
	text := fmt.Sprint(value)
	if strings.HasPrefix(text, "unix:") { // goodgate's form has no scheme
		format = strings.Replace(format, "\"http://%s", "\"%s", 1)
	}
	return strings.NewReplacer("%[1]s", text, "%s", text, "%[2]s", strings.TrimPrefix(text, "unix:")).Replace(format)
}

// span formats a duration in a form that nginx, HAProxy and goodgate all accept.
func span(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return strconv.Itoa(int(d/time.Millisecond)) + "ms"
}

// Options configure an examination.
type Options struct {
	MaxWait  time.Duration // longest wait for a connection or an answer; 0 = 10 s
	Wait     time.Duration // how long to watch an idle connection; 0 = not at all
	Progress func(string)  // called from several goroutines for steps longer than a second; nil = never
	Own      []string      // ports that the proxy itself listens on
}

func (t Target) network() (network, address string) {
	if path, ok := strings.CutPrefix(t.Addr, "unix:"); ok {
		return "unix", filepath.Join(t.Root, path)
	}
	return "tcp", t.Addr
}

// URL returns the target in the form of nginx's error log.
func (t Target) URL() string {
	switch {
	case strings.HasPrefix(t.Addr, "unix:"):
		return t.Addr
	case t.Scheme != "":
		return t.Scheme + "://" + t.Addr
	case t.TLS != nil:
		return "https://" + t.Addr
	}
	return "http://" + t.Addr
}
