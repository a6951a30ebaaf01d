package finding

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// mask removes private texts before a report is shared: secrets, and addresses other
// than those of upstreams, because they may belong to clients.
type mask struct {
	known                                  map[netip.Addr]bool
	address, named, bearer, userinfo, long *regexp.Regexp
	query                                  *regexp.Regexp
}

func newMask(r *Report) *mask {
	m := &mask{
		known:    map[netip.Addr]bool{},
		address:  regexp.MustCompile(`(?i)\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:\b[0-9a-f]{1,4})?(?::{1,2}[0-9a-f]{1,4}){2,7}\b|::[0-9a-f]{1,4}\b`),
		named:    regexp.MustCompile(`(?i)((?:authorization|cookie|token|passw(?:or)?d|secret|api[_-]?key|session|signature)["']?(?:\s*[:=]\s*["']?|\s+["']))[^\s"'&;,]+`),
		bearer:   regexp.MustCompile(`(?i)\b(bearer|basic) [a-z0-9+/=._~-]{6,}`),
		userinfo: regexp.MustCompile(`://[^/\s@]+@`),
		long:     regexp.MustCompile(`\b[A-Za-z0-9_-]{32,}\b`),
		query:    regexp.MustCompile(`\?[^\s"')]+`),
	}
	learn := func(text string) {
		for _, a := range m.address.FindAllString(text, -1) {
			if ip, err := netip.ParseAddr(a); err == nil {
				m.known[ip] = true
			}
		}
	}
	for _, f := range r.Findings {
		learn(f.Upstream + " " + f.Where + " " + f.Directive)
	}
	for _, s := range r.Steps {
		learn(s.Subject)
	}
	for upstream, names := range r.Names {
		learn(upstream + " " + strings.Join(names, " "))
	}
	learn(strings.Join(r.Looked, " "))
	for _, s := range r.Timeline {
		learn(s.Upstream)
	}
	return m
}

const masked = "[masked]"

func (m *mask) text(s string) string {
	s = m.userinfo.ReplaceAllString(s, "://"+masked+"@")
	s = m.query.ReplaceAllString(s, "?"+masked)
	s = m.bearer.ReplaceAllString(s, "$1 "+masked)
	s = m.named.ReplaceAllString(s, "$1"+masked)
	s = m.long.ReplaceAllStringFunc(s, func(word string) string {
		if strings.ContainsAny(word, "0123456789") { // natural words have no digits
			return masked
		}
		return word
	})
	return m.address.ReplaceAllStringFunc(s, func(a string) string {
		ip, err := netip.ParseAddr(a)
		if err != nil || m.known[ip] || ip.IsLoopback() || ip.IsUnspecified() {
			return a
		}
		return masked
	})
}

// report returns a masked copy with only printable text.
func (m *mask) report(r *Report) *Report {
	clean := func(s string) string { return m.text(printable.Text(s)) }
	list := func(list []string) (out []string) {
		for _, s := range list {
			out = append(out, clean(s))
		}
		return out
	}
	out := Report{Blind: r.Blind, Unknown: list(r.Unknown), Looked: list(r.Looked)}
	for _, f := range r.Findings {
		f = f.printable()
		for _, s := range []*string{&f.Upstream, &f.Where, &f.Seen, &f.Means, &f.Because, &f.Do, &f.Directive} {
			*s = m.text(*s)
		}
		out.Findings = append(out.Findings, f)
	}
	for _, s := range r.Steps {
		s.Subject, s.Name, s.Result = clean(s.Subject), clean(s.Name), clean(s.Result)
		out.Steps = append(out.Steps, s)
	}
	for _, s := range r.Timeline {
		s.Cause, s.Upstream = clean(s.Cause), clean(s.Upstream)
		out.Timeline = append(out.Timeline, s)
	}
	return &out
}
