package proxy

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// maxMethod bounds a method, in bytes. WebDAV has the longest one in use, with 18.
const maxMethod = 32

// allowed lists the common methods for clients. Others are forwarded too.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// Reasons to reject a request that servers let pass.
var (
	errExpect      = errors.New("an expectation other than 100-continue")
	errMethod      = errors.New("a method that is none, or has more than " + strconv.Itoa(maxMethod) + " bytes")
	errNotAllowed  = errors.New("a method that is not forwarded: CONNECT, TRACE or TRACK")
	errVersion     = errors.New("a version of HTTP/1 that does not exist")
	errTarget      = errors.New("a target of a form that is not for this method, with a fragment or with a backslash in its path")
	errHost        = errors.New("a host that is none")
	errLength      = errors.New("a Content-Length that is no number, is given twice with different values, or is not that of the body")
	errPathByte    = errors.New("a path with NUL, CR or LF in it")
	errPathClimb   = errors.New("a path that climbs above its beginning")
	errMethodTwice = errors.New("a method that leads to a route with other access when it is read in another way, as from X-HTTP-Method-Override")
	errPathTwice   = errors.New("a path that leads to another route when it is read in another way")
)

// refusal returns why a request is not forwarded on any route, or nil. The upstream, or
// another proxy on the way, might understand such a request differently.
func refusal(r *Request) error {
	if r.ConnectProtocol() != "" { // asUpgrade has removed the one that is forwarded
		return errProtocol
	}
	switch r.Method {
	case http.MethodConnect, http.MethodTrace, "TRACK": // TRACK is TRACE in IIS
		return errNotAllowed
	case "PRI": // begins HTTP/2; net/http passes it on
		return errMethod
	}
	switch {
	case len(r.Method) > maxMethod:
		return errMethod
	case r.ProtoMajor == 1 && r.ProtoMinor > 1:
		return errVersion
	case !validHost(r.Host) && (r.Host != "" || r.ProtoAtLeast(1, 1)):
		return errHost
	case !validTarget(r):
		return errTarget
	case !validLength(r):
		return errLength
	case strings.ContainsAny(r.URL.Path, "\x00\r\n"):
		return errPathByte
	case !validExpect(r):
		return errExpect
	}
	return nil
}

// refusalStatus returns the status for a refusal, 0 = its reason's.
func refusalStatus(err error) int {
	switch err {
	case errExpect:
		return http.StatusExpectationFailed
	case errNotAllowed:
		return http.StatusMethodNotAllowed
	case errProtocol:
		return http.StatusNotImplemented // RFC 9220, section 3
	}
	return 0
}

// validExpect reports whether the client expects nothing but a 100 Continue (RFC 9110,
// section 10.1.1). In HTTP/1.0 the field has no meaning.
func validExpect(r *Request) bool {
	if !r.Has(header.Expect) || !r.ProtoAtLeast(1, 1) {
		return true
	}
	for _, line := range r.Values(header.Expect) {
		for expectation := range strings.SplitSeq(line, ",") {
			if e := strings.Trim(expectation, " \t"); e != "" && !strings.EqualFold(e, "100-continue") {
				return false
			}
		}
	}
	return true
}

// validTarget reports whether the request's target has a form of RFC 9112, section 3.2.
// It checks what net/url does not.
func validTarget(r *Request) bool {
	u := r.URL
	beforeQuery, _, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case strings.IndexByte(r.RequestURI, '#') >= 0, strings.IndexByte(beforeQuery, '\\') >= 0: // browsers send a backslash in a query
		return false
	case u.Scheme != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil):
		return false
	case u.Path == "*":
		return r.Method == http.MethodOptions
	}
	return u.Opaque == "" && strings.HasPrefix(u.Path, "/")
}

// validLength reports whether a request has one length, equal to the one that the server
// uses. HTTP/2 frames a body without it, and its server uses the first of several.
func validLength(r *Request) bool {
	lengths := r.Values(header.ContentLength)
	for _, l := range lengths {
		n, err := strconv.ParseUint(l, 10, 63)
		if err != nil || l != lengths[0] || r.ProtoMajor > 1 && int64(n) != r.ContentLength {
			return false
		}
	}
	return true
}

// validHost reports whether host is only a name or an address, with or without a port
// (RFC 3986, section 3.2.2).
func validHost(host string) bool {
	name, port := host, ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return false
		}
		addr, err := netip.ParseAddr(host[1:end])
		if err != nil || !addr.Is6() {
			return false
		}
		name, port = "", host[end+1:]
	} else if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	if name == "" && !strings.HasPrefix(host, "[") || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return port == "" || port == ":" || validPort(port)
}

// validPort reports whether s is a colon and a port number.
func validPort(s string) bool {
	if s[0] != ':' || s[1] == '+' {
		return false
	}
	_, err := strconv.ParseUint(s[1:], 10, 16)
	return err == nil
}
