package nginxconf

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Location is a block that sends requests to an upstream.
type Location struct {
	scope
	Server   *Server
	In       *Directive // the location block
	Modifier string     // "", "=", "^~", "~" or "~*"
	Path     string     // prefix or expression
	Pass     Directive  // the proxy_pass, fastcgi_pass ...
	Scheme   string     // http or https; fastcgi, uwsgi, suwsgi, scgi, grpc or grpcs
	Host     string     // a group, or host:port, or unix:/path; "" when a variable decides it
	URI      string     // the replacement of the location's prefix; "" = nginx keeps the request's URI
	Variable string     // the variable that decides the host; "" = none
}

func newLocation(s *Server, in *scope, around, pass *Directive) *Location {
	l := &Location{scope: *in, Server: s, In: around, Pass: *pass}
	switch len(around.Args) {
	case 0:
	case 1:
		l.Path = around.Args[0]
		for _, m := range []string{"~*", "^~", "~", "="} { // "location ~regex" without a space
			if rest, ok := strings.CutPrefix(l.Path, m); ok && rest != "" {
				l.Modifier, l.Path = m, rest
				break
			}
		}
	default:
		l.Modifier, l.Path = around.Args[0], around.Args[1]
	}
	l.readPass(pass.Arg(0))
	return l
}

// readPass parses the target of a proxy_pass.
func (l *Location) readPass(target string) {
	if strings.HasPrefix(target, "$") { // proxy_pass $backend;
		l.Variable = target[:1+variableLength(target[1:])]
		value, ok := l.set(l.Variable)
		if !ok {
			return
		}
		target = value + target[len(l.Variable):]
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok {
		if l.Prefix() == "proxy" {
			return
		}
		scheme, rest = l.Prefix(), target // the others do not need a scheme
	}
	l.Scheme = scheme
	if strings.HasPrefix(rest, "unix:") {
		path, uri, _ := strings.Cut(rest[len("unix:"):], ":")
		l.Host, l.URI = "unix:"+path, uri
		return
	}
	if at := uriIndex(rest); at >= 0 {
		l.URI, rest = strings.NewReplacer("${request_uri}", "$request_uri", "${uri}", "$uri").Replace(rest[at:]), rest[:at]
	}
	if i := strings.IndexByte(rest, '$'); i >= 0 {
		l.Variable = rest[i : i+1+variableLength(rest[i+1:])]
		value, ok := l.set(l.Variable)
		if !ok || strings.Contains(value, "$") {
			return
		}
		rest = strings.Replace(rest, l.Variable, value, 1)
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "http://"), "https://")
	}
	if strings.Contains(rest, "$") {
		return
	}
	l.Host = rest
}

// uriIndex returns the place in a target, without its scheme, where the URI begins: at a
// slash, or at a variable that holds the request's URI; -1 = nowhere.
func uriIndex(target string) int {
	slash := strings.IndexByte(target, '/')
	for at, c := range target {
		if c != '$' || slash >= 0 && at > slash {
			continue
		}
		name := strings.TrimPrefix(target[at+1:], "{")
		switch name[:variableLength(name)] {
		case "request_uri", "uri", "document_uri":
			return at
		}
	}
	return slash
}

// Prefix returns the prefix of the setting names for the location's kind of pass:
// "proxy" for proxy_pass.
func (l *Location) Prefix() string { return strings.TrimSuffix(l.Pass.Name, "_pass") }

// Secure reports whether nginx uses TLS to the upstream.
func (l *Location) Secure() bool {
	return l.Scheme == "https" || l.Scheme == "grpcs" || l.Scheme == "suwsgi"
}

func variableLength(s string) int {
	i := strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if i < 0 {
		return len(s)
	}
	return i
}

// Group returns the location's upstream block, nil if its host is an address or a name.
func (l *Location) Group(c *Config) *Upstream { return c.Upstreams[l.Host] }

// Addr returns the host with its port, for a location without a group.
func (l *Location) Addr() string {
	port := "80"
	if l.Secure() {
		port = "443"
	}
	return withPort(l.Host, port)
}

// Named reports whether nginx must look up the host in DNS.
func (l *Location) Named(c *Config) bool {
	if l.Host == "" || l.Group(c) != nil || strings.HasPrefix(l.Host, "unix:") {
		return false
	}
	host := l.Host
	if h, _, err := net.SplitHostPort(l.Host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err != nil
}

// Duration returns the value of a setting, or its default.
func (l *Location) Duration(name string, standard time.Duration) time.Duration {
	if d, ok := Duration(l.One(name).Arg(0)); ok {
		return d
	}
	return standard
}

// Size returns the value of a setting in bytes, or its default.
func (l *Location) Size(name string, standard int64) int64 {
	if n, ok := Size(l.One(name).Arg(0)); ok {
		return n
	}
	return standard
}

// Header returns the value of a header in proxy_set_header; set is false if there is
// none and nginx's own value applies.
func (l *Location) Header(name string) (value string, set bool) {
	for _, d := range l.All("proxy_set_header") {
		if strings.EqualFold(d.Arg(0), name) {
			return d.Arg(1), true
		}
	}
	return "", false
}

// KeepsConnections reports whether nginx reuses connections to the group. This needs
// HTTP/1.1, and no "Connection: close", which nginx sends by default.
func (l *Location) KeepsConnections(c *Config) bool {
	u := l.Group(c)
	if u == nil || u.Keepalive.Name == "" {
		return false
	}
	connection, set := l.Header("Connection")
	return l.One("proxy_http_version").Arg(0) == "1.1" && set && !strings.Contains(strings.ToLower(connection), "close")
}

// Probe returns a path that a request to this location may have at the upstream.
func (l *Location) Probe() string {
	path := l.Path
	if slices.Contains([]string{"~", "~*"}, l.Modifier) || !strings.HasPrefix(path, "/") {
		path = "/"
	}
	if strings.HasPrefix(l.URI, "/") && !strings.Contains(l.URI, "$") {
		path = l.URI
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}

// String returns the location as written in the file.
func (l *Location) String() string {
	if l.Modifier == "" {
		return "location " + l.Path
	}
	return "location " + l.Modifier + " " + l.Path
}
