package proxy

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Match says which requests a route takes. Each field that is set must match;
// the zero value takes all.
type Match struct {
	Hosts      []string          // exact, or "*.example.com" for any name below it; case does not matter
	HostRegexp *regexp.Regexp    // matches somewhere in the host, without port and in lower case; nil = any
	Path       string            // exact; a * at its start or end stands for any characters, another * for those without a slash
	PathRegexp *regexp.Regexp    // matches somewhere in the decoded path; nil = any
	Methods    []string          // upper case
	Headers    map[string]string // value, or "*" for any
	Query      map[string]string // the same of parameters of the query, decoded
	Cookies    map[string]string // the same of cookies
	Patterns   []Pattern         // what values of these must match
	Scheme     string            // "http" or "https": how the client's connection came
	Listeners  []string          // names of the listeners that the client came to
	Clients    []netip.Prefix    // networks that the client is in; one on a unix socket is in none

	Ports       []int    // ports that the client connected to
	ServerNames []string // names that the client asked for by TLS (SNI), as Hosts; without TLS there is none
	Any         []Match  // of these one must match, all conditions of it
	Not         []Match  // of these none may match

	glob *regexp.Regexp // of a Path with other stars than one at its end
	more bool           // there are conditions that few routes have
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

// withoutPort is a host without its port, and without the dot of an absolute name.
func withoutPort(host string) string {
	if strings.IndexByte(host, ':') < 0 { // an error would be an allocation
		return strings.TrimSuffix(host, ".")
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(host, ".")
}

// hostname is a host as host_regexp sees it.
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
