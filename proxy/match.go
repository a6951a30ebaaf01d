package proxy

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Match holds the conditions for the requests of a route. All conditions that are set
// must match. The zero value matches all requests.
type Match struct {
	Hosts      []string          // exact names, or "*.example.com" for all names below one; case does not matter
	HostRegexp *regexp.Regexp    // matches a part of the host, without port and in lower case; nil = any
	Path       string            // exact, or with wildcards: a * at the start or end matches any characters, a * elsewhere any characters except a slash
	PathRegexp *regexp.Regexp    // matches a part of the decoded path; nil = any
	Methods    []string          // upper case
	Headers    map[string]string // name and value, or "*" for any value
	Query      map[string]string // the same for decoded query parameters
	Cookies    map[string]string // the same for cookies
	Patterns   []Pattern         // other conditions on values of headers, parameters and cookies
	Scheme     string            // "http" or "https", by the client's connection
	Listeners  []string          // names of the listeners
	Clients    []netip.Prefix    // networks of the client; a client on a unix socket is in none

	Ports       []int    // ports that the client connected to
	ServerNames []string // TLS server names (SNI), in the form of Hosts; a client without TLS has none
	All         []Match  // all of these must match
	Any         []Match  // one of these must match
	Not         []Match  // none of these may match

	glob *regexp.Regexp // for a Path with a * elsewhere than at its end
	more bool           // rare conditions are set
}

func (m *Match) matches(x *exchange, path string) bool {
	r := x.request
	return m.matchesHost(r.Host) && m.matchesPath(path) &&
		(m.Scheme == "" || (m.Scheme == "https") == (r.TLS != nil)) &&
		(len(m.Methods) == 0 || slices.Contains(m.Methods, r.Method)) &&
		(len(m.Listeners) == 0 || slices.Contains(m.Listeners, x.listener.Name)) &&
		(len(m.Clients) == 0 || m.matchesClient(x.record.Client)) &&
		m.matchesHeaders(r) &&
		(len(m.Query)+len(m.Cookies)+len(m.Patterns) == 0 || m.matchesValues(r)) &&
		(!m.more || m.matchesMore(x, path))
}

func (m *Match) matchesHost(host string) bool {
	if len(m.Hosts) == 0 && m.HostRegexp == nil {
		return true
	}
	host = withoutPort(host)
	if m.HostRegexp != nil && !m.HostRegexp.MatchString(strings.ToLower(host)) {
		return false
	}
	return len(m.Hosts) == 0 || matchesNames(m.Hosts, host)
}

// withoutPort returns a host without its port and its final dot. An IPv6 address keeps its
// brackets.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// hostname returns a host in the form that host_regexp matches.
func hostname(host string) string { return strings.ToLower(withoutPort(host)) }

func (m *Match) matchesPath(path string) bool {
	if m.PathRegexp != nil && !m.PathRegexp.MatchString(path) {
		return false
	}
	if m.Path == "" {
		return true
	}
	if m.glob != nil {
		return m.glob.MatchString(path)
	}
	if prefix, ok := strings.CutSuffix(m.Path, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return path == m.Path
}

func (m *Match) matchesClient(client netip.Addr) bool {
	return slices.ContainsFunc(m.Clients, func(p netip.Prefix) bool { return p.Contains(client) })
}

func (m *Match) matchesHeaders(r *Request) bool {
	for name, want := range m.Headers {
		if !oneIs(r.ValuesOf(name), want) {
			return false
		}
	}
	return true
}
