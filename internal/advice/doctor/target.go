package doctor

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Target is an upstream to be looked at, and how the proxy is set to use it.
type Target struct {
	Label    string      // what it is for: a pool, or a place in a configuration
	Group    string      // what it is one of several in: a pool, an upstream block; "" = nothing
	Addr     string      // host:port with a name or an address, or unix:/path
	Root     string      // the folder in which paths of sockets begin; "" = this machine's own
	Protocol Protocol    // what the proxy speaks to it
	Scheme   string      // how the proxy's log names it; "" = http, or https with TLS
	TLS      *tls.Config // nil = plain HTTP; ServerName "" = the host of Addr
	Insecure bool        // the proxy does not look at the certificate
	Hidden   bool        // the proxy's own certificate cannot be read: what the upstream says to it is not known
	NoSNI    bool        // it sends no name in the handshake
	TLS12    bool        // it takes nothing older than TLS 1.2
	Resolver string      // host:port of the name server; "" = the system's
	Family   string      // "ip4" or "ip6": the proxy takes addresses of this kind only; "" = both
	Pair     bool        // the proxy goes by whichever works of an only IPv4 and an only IPv6 address

	Method string // of the request; "" = GET
	Path   string // of the request; "" = "/"
	Host   string // Host header; "" = Addr

	Preface []byte // first on each connection, before TLS; nil = nothing

	Dial      time.Duration // how long the proxy waits for a connection; 0 = not known
	Response  time.Duration // and for a response header; 0 = not known
	Keepalive time.Duration // how long it keeps an idle connection; 0 = it keeps none
	Learns    bool          // it learns the upstream's keep-alive timeout by itself
	MaxHeader int           // most bytes of response header it takes; 0 = not known

	Brief        bool // only the request is judged: another look judges the rest
	HTTPSClients bool // clients come over https, and the upstream is not told so
	User         *User
	Health       *Health
	Words        Words
}

// User is who the proxy runs as.
type User struct {
	Name   string
	UID    uint32
	Groups []uint32
}

// Health is the check that the proxy makes.
type Health struct {
	Method, Path, Host string
	Header             map[string]string
	Passes             func(status int) bool
	Status             string // what Passes accepts, in words
	Timeout            time.Duration
}

// Words are the proxy's settings, each a format with one %s for the value, or %[2]s for
// the path of a socket alone. An empty one is not a setting of this proxy.
type Words struct {
	Address    string // of the upstream: host:port, or unix:/path
	Socket     string // of a unix socket, when it is written otherwise; "" = as Address
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
	Resolver   string // how names are looked up; the value is the name server's address
	OneFamily  string // look up addresses of IPv4 only; no value
}

// address writes the setting of an address, of a socket in its own form.
func (w Words) address(of string) string {
	if strings.HasPrefix(of, "unix:") && w.Socket != "" {
		return set(w.Socket, of)
	}
	return set(w.Address, of)
}

// set writes a setting; "" when the proxy has none.
func set(format string, value any) string {
	if format == "" {
		return ""
	}
	if d, ok := value.(time.Duration); ok {
		value = span(d)
	}
	text := fmt.Sprint(value)
	if strings.HasPrefix(text, "unix:") { // goodgate writes no scheme before it
		format = strings.Replace(format, "\"http://%s", "\"%s", 1)
	}
	return strings.NewReplacer("%[1]s", text, "%s", text, "%[2]s", strings.TrimPrefix(text, "unix:")).Replace(format)
}

// span writes a duration in the one form that nginx, HAProxy and goodgate
// all read.
func span(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return strconv.Itoa(int(d/time.Millisecond)) + "ms"
}

// Options say how much is looked at.
type Options struct {
	MaxWait  time.Duration // for a connection or an answer that does not come; 0 means 10 s
	Wait     time.Duration // how long an idle connection is watched for its end; 0 means not at all
	Progress func(string)  // told what takes longer than a second; nil = nobody; called from several goroutines
	Own      []string      // ports that the proxy itself listens on
}

func (t Target) network() (network, address string) {
	if path, ok := strings.CutPrefix(t.Addr, "unix:"); ok {
		return "unix", filepath.Join(t.Root, path)
	}
	return "tcp", t.Addr
}

// URL is the target as a person would write it, and nginx's error log does.
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
