package proxy

import (
	"iter"
	"net"
	"regexp"
	"slices"
	"strings"
)

// This file has the rarely used conditions.

// prepare compiles the conditions.
func (m *Match) prepare() {
	m.glob = globOf(m.Path)
	for _, list := range []*[]Match{&m.All, &m.Any, &m.Not} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i].prepare()
		}
	}
	m.more = len(m.Ports)+len(m.ServerNames)+len(m.All)+len(m.Any)+len(m.Not) > 0
}

// globOf compiles a path that has a * elsewhere than at its end, nil for other paths. A *
// at the start or the end stands for any characters, another * for those without a slash.
func globOf(path string) *regexp.Regexp {
	if !strings.Contains(strings.TrimSuffix(path, "*"), "*") {
		return nil
	}
	parts := strings.Split(path, "*")
	var b strings.Builder
	b.WriteString("(?s)^" + regexp.QuoteMeta(parts[0]))
	for i, part := range parts[1:] {
		star := "[^/]*"
		if i == 0 && parts[0] == "" || i == len(parts)-2 && part == "" {
			star = ".*"
		}
		b.WriteString(star + regexp.QuoteMeta(part))
	}
	return regexp.MustCompile(b.String() + "$")
}

// fixedPrefix returns the common beginning of all paths that m matches.
func (m *Match) fixedPrefix() string {
	before, _, _ := strings.Cut(m.Path, "*")
	return before
}

// matchesMore reports whether the rarely used conditions match.
func (m *Match) matchesMore(x *exchange, path string) bool {
	if len(m.Ports) > 0 && !slices.Contains(m.Ports, localPort(x.request)) {
		return false
	}
	if len(m.ServerNames) > 0 && (x.request.TLS == nil || !matchesNames(m.ServerNames, strings.TrimSuffix(x.request.TLS.ServerName, "."))) {
		return false
	}
	for i := range m.All {
		if !m.All[i].matches(x, path) {
			return false
		}
	}
	return (len(m.Any) == 0 || oneMatches(m.Any, x, path)) && !oneMatches(m.Not, x, path)
}

func oneMatches(list []Match, x *exchange, path string) bool {
	for i := range list {
		if list[i].matches(x, path) {
			return true
		}
	}
	return false
}

// matchesNames reports whether a host matches one of the patterns.
func matchesNames(patterns []string, host string) bool {
	for _, pattern := range patterns {
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

// localPort returns the port that the client connected to, 0 for a unix socket.
func localPort(r *Request) int {
	switch a := r.LocalAddr().(type) {
	case *net.TCPAddr:
		return a.Port
	case *net.UDPAddr:
		return a.Port
	}
	return 0
}

// parts yields the conditions and all nested ones.
func (m *Match) parts() iter.Seq[*Match] {
	return func(yield func(*Match) bool) {
		if !yield(m) {
			return
		}
		for _, list := range [][]Match{m.All, m.Any, m.Not} {
			for i := range list {
				for part := range list[i].parts() {
					if !yield(part) {
						return
					}
				}
			}
		}
	}
}

// looksAtMethod reports whether a condition depends on the method.
func (m *Match) looksAtMethod() bool {
	for part := range m.parts() {
		if len(part.Methods) > 0 {
			return true
		}
	}
	return false
}

// looksAtPath reports whether a condition depends on the path.
func (m *Match) looksAtPath() bool {
	for part := range m.parts() {
		if part.Path != "" || part.PathRegexp != nil {
			return true
		}
	}
	return false
}
