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
	Path       string            // exact, or a prefix when it ends in "*"
	PathRegexp *regexp.Regexp    // matches somewhere in the decoded path; nil = any
	Methods    []string          // upper case
	Headers    map[string]string // value, or "*" for any
	Scheme     string            // "http" or "https": how the client's connection came
	Listeners  []string          // names of the listeners that the client came to
	Clients    []netip.Prefix    // networks that the client is in; one on a unix socket is in none
}

func (m *Match) matches(x *exchange, path string) bool {
	r := x.request
	return m.matchesHost(r.Host) && m.matchesPath(path) &&
		(m.Scheme == "" || (m.Scheme == "https") == (r.TLS != nil)) &&
		(len(m.Methods) == 0 || slices.Contains(m.Methods, r.Method)) &&
		(len(m.Listeners) == 0 || slices.Contains(m.Listeners, x.listener.Name)) &&
		(len(m.Clients) == 0 || m.matchesClient(x.record.Client)) &&
		m.matchesHeaders(r)
}

func (m *Match) matchesHost(host string) bool {
	if len(m.Hosts) == 0 {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	for _, pattern := range m.Hosts {
		if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
			if len(host) > len(suffix) && strings.EqualFold(host[len(host)-len(suffix):], suffix) {
				return true
			}
		} else if strings.EqualFold(host, pattern) {
			return true
		}
	}
	return false
}

func (m *Match) matchesPath(path string) bool {
	if m.PathRegexp != nil && !m.PathRegexp.MatchString(path) {
		return false
	}
	if m.Path == "" {
		return true
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
		matches := false
		for v := range r.ValuesOf(name) {
			matches = matches || want == "" || want == "*" || v == want
		}
		if !matches {
			return false
		}
	}
	return true
}
