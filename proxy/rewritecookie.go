package proxy

import (
	"net"
	"regexp"
	"slices"
	"strings"
)

// CookieFlags change the flags of the cookies that Name or Regexp selects.
type CookieFlags struct {
	Name     string         // "*" = all cookies
	Regexp   *regexp.Regexp // instead of Name; it may match any part of the name
	Secure   Flag
	HTTPOnly Flag
	SameSite string // Strict, Lax or None; "-" removes it; empty = unchanged
}

// Flag is what to do with a flag of a cookie.
type Flag int

const (
	KeepFlag Flag = iota
	SetFlag
	RemoveFlag
)

func (f *CookieFlags) isAbout(name string) bool {
	if f.Regexp != nil {
		return f.Regexp.MatchString(name)
	}
	return f.Name == "*" || f.Name == name
}

// cookie changes the attributes of a cookie (RFC 6265, section 4.1.1). The rest stays
// unchanged.
func (w *rewriting) cookie(v string) string {
	parts := strings.Split(v, ";")
	for i, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
			continue
		case strings.EqualFold(strings.TrimSpace(name), "Path"):
			value = w.cookiePath(value)
		case strings.EqualFold(strings.TrimSpace(name), "Domain"):
			value = w.domain(value)
		default:
			continue
		}
		parts[i+1] = name + "=" + value
	}
	return strings.Join(w.flags(parts), ";")
}

// cookiePath returns the new Path of a cookie.
func (w *rewriting) cookiePath(path string) string {
	to := w.beginning(w.CookiePath, path)
	if to == path && w.RestorePrefix {
		return w.x.route.restorePath(path)
	}
	return to
}

// domain returns the new Domain of a cookie. It keeps the leading dot or its absence.
// Browsers ignore the dot (RFC 6265, section 5.2.3).
func (w *rewriting) domain(domain string) string {
	name := strings.TrimPrefix(domain, ".")
	dot := domain[:len(domain)-len(name)]
	for _, r := range w.CookieDomain {
		to, ok := r.whole(name)
		if !ok && (r.Regexp != nil || !strings.EqualFold(name, strings.TrimPrefix(r.From, "."))) {
			continue
		}
		if !ok {
			to = w.to(r)
		}
		if host, _, err := net.SplitHostPort(to); err == nil {
			to = host // {host} may have a port, a Domain must not
		}
		return dot + strings.TrimPrefix(to, ".")
	}
	return domain
}

// flags changes the flags of a cookie with the first entry that selects it.
func (w *rewriting) flags(parts []string) []string {
	name, _, _ := strings.Cut(parts[0], "=")
	i := slices.IndexFunc(w.CookieFlags, func(f CookieFlags) bool { return f.isAbout(strings.TrimSpace(name)) })
	if i < 0 {
		return parts
	}
	f := &w.CookieFlags[i]
	for _, flag := range []struct {
		name string
		what Flag
		text string
	}{{"Secure", f.Secure, "Secure"}, {"HttpOnly", f.HTTPOnly, "HttpOnly"}, {"SameSite", f.sameSite(), "SameSite=" + f.SameSite}} {
		if flag.what == KeepFlag {
			continue
		}
		rest := slices.DeleteFunc(parts[1:], func(part string) bool {
			attribute, _, _ := strings.Cut(part, "=")
			return strings.EqualFold(strings.TrimSpace(attribute), flag.name)
		})
		parts = parts[:1+len(rest)]
		if flag.what == SetFlag {
			parts = append(parts, " "+flag.text)
		}
	}
	return parts
}

func (f *CookieFlags) sameSite() Flag {
	switch f.SameSite {
	case "":
		return KeepFlag
	case "-":
		return RemoveFlag
	}
	return SetFlag
}
