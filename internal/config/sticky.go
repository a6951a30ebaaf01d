package config

import (
	"errors"
	"net/netip"
	"strings"
)

// cookieDomain accepts the Domain of a cookie (RFC 6265, section 4.1.2.3). Browsers ignore
// a leading dot.
func cookieDomain(s string) (string, error) {
	name := strings.TrimPrefix(strings.ToLower(s), ".")
	if _, err := netip.ParseAddr(name); err == nil || !isHost(name) || strings.ContainsAny(name, "_*:") {
		return "", errors.New("expected a domain, such as example.com")
	}
	return name, nil
}

// cookiePath accepts the Path of a cookie (RFC 6265, section 4.1.1).
func cookiePath(s string) (string, error) {
	if !plainPath(s) || strings.ContainsFunc(s, func(r rune) bool { return r == ';' || r > '~' }) {
		return "", errors.New("expected a path that starts with /, such as /app, in ASCII and without ;")
	}
	return s, nil
}

// sticky reports a cookie that browsers refuse.
func (v *validator) sticky(path string, s Sticky) {
	never := s.Secure == "never"
	if s.SameSite == "none" && never {
		v.errorf(path+".same_site", "found \"none\": browsers refuse such a cookie with secure: never")
	}
	if s.Partitioned && never {
		v.errorf(path+".partitioned", "found true: browsers refuse such a cookie with secure: never")
	}
	// RFC 6265bis, section 4.1.3; browsers ignore the case of the prefixes.
	name := strings.ToLower(s.Cookie)
	host := strings.HasPrefix(name, "__host-")
	switch {
	case (host || strings.HasPrefix(name, "__secure-")) && never:
		v.errorf(path+".secure", "found \"never\": browsers refuse a cookie with the name %s without Secure", s.Cookie)
	case host && s.Domain != "":
		v.errorf(path+".domain", "browsers refuse a cookie with the name %s that has a Domain: leave it out, or choose another name", s.Cookie)
	case host && s.Path != "/":
		v.errorf(path+".path", "browsers refuse a cookie with the name %s whose Path is not /: leave it out, or choose another name", s.Cookie)
	}
}
