package inbound

import (
	"net/http"
	"net/url"
	"strings"
)

// setTarget reads a request's target into u as http.ReadRequest does.
func setTarget(u *url.URL, method, uri string) error {
	if setPlainTarget(u, uri) {
		return nil
	}
	parsed, err := parseTarget(method, uri)
	if err != nil {
		return err
	}
	*u = *parsed
	return nil
}

func parseTarget(method, uri string) (*url.URL, error) {
	if method != http.MethodConnect || strings.HasPrefix(uri, "/") {
		return url.ParseRequestURI(uri)
	}
	u, err := url.ParseRequestURI("http://" + uri)
	if err == nil {
		u.Scheme = ""
	}
	return u, err
}

// setPlainTarget is url.ParseRequestURI for a path that has no escapes and needs none,
// with its query. It does not allocate, and returns false for other targets.
func setPlainTarget(u *url.URL, uri string) bool {
	if uri == "" || uri[0] != '/' {
		return false
	}
	end := 0
	for end < len(uri) && plainInPath(uri[end]) {
		end++
	}
	path, query := uri[:end], ""
	if end < len(uri) {
		if uri[end] != '?' {
			return false
		}
		query = uri[end+1:]
	}
	for i := range len(query) {
		if c := query[i]; c < ' ' || c == 0x7f {
			return false
		}
	}
	*u = url.URL{Path: path, RawQuery: query, ForceQuery: end < len(uri) && query == ""}
	return true
}

// plainInPath reports whether a byte needs no escape in a path.
func plainInPath(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '/' <= c && c <= '9', c == '-', c == '.', c == '_':
		return true
	case c == '~', c == '$', c == '&', c == '+', c == ',', c == ':', c == ';', c == '=', c == '@':
		return true
	}
	return false
}
