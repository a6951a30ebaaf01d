package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// corsOrigin accepts an origin, one with * for the first labels of its host, and *.
func corsOrigin(s string) (string, error) {
	if s == "*" || s == "null" {
		return s, nil
	}
	scheme, rest, _ := strings.Cut(s, "://")
	plain := s
	if host, ok := strings.CutPrefix(rest, "*."); ok {
		plain = scheme + "://" + host
	}
	if _, err := exactOrigin(plain); err != nil {
		if strings.Contains(strings.TrimPrefix(rest, "*."), "*") {
			return "", errors.New("a * must be the whole first label, as in https://*.example.com")
		}
		return "", err
	}
	return strings.ToLower(s), nil
}

// exactOrigin accepts scheme, host and port (RFC 6454).
func exactOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.Scheme == "" && isHost(s):
		return "", fmt.Errorf("an origin has a scheme: write https://%s", s)
	case err != nil || u.Scheme == "" || !isHost(u.Hostname()) && !isBracketed(u.Hostname()):
		return "", errors.New("expected an origin such as https://app.example.com")
	case u.Path == "/" && u.RawQuery == "" && u.Fragment == "" && u.User == nil:
		return "", fmt.Errorf("an origin has no path: write %s", strings.TrimSuffix(s, "/"))
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", fmt.Errorf("an origin is a scheme, a host and perhaps a port: write %s://%s", u.Scheme, u.Host)
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return "", fmt.Errorf("browsers leave out the default port of the scheme: write %s://%s", u.Scheme, u.Hostname())
	}
	return strings.ToLower(s), nil
}

func isBracketed(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func corsMethod(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	return method(s)
}

func corsHeader(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	return headerName(s)
}

// mediaPattern accepts a media type without parameters, with one * for anything.
func mediaPattern(s string) (string, error) {
	kind, sub, ok := strings.Cut(s, "/")
	whole := strings.Count(s, "*") <= 1 && !strings.ContainsAny(s, " ;,")
	if !ok && strings.HasPrefix(s, "*+") && whole {
		return strings.ToLower(s), nil
	}
	if !ok || kind == "" || sub == "" || !whole || strings.Contains(sub, "/") {
		return "", errors.New("expected a media type such as text/html, text/* or *+json")
	}
	return strings.ToLower(s), nil
}
