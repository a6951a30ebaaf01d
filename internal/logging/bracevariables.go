package logging

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/proxy"
)

// braceNames are the variables in braces, without a parameter.
func braceNames(d redactor) map[string]value {
	all := map[string]value{
		"client_ip":   appendClient,
		"client_port": words(clientPort),
		"host":        words(func(r *proxy.Record) string { return r.Host }),
		"hostname":    words(func(r *proxy.Record) string { return withoutPort(r.Host) }),
		"scheme":      words(scheme),
		"method":      words(func(r *proxy.Record) string { return r.Method }),
		"protocol":    words(func(r *proxy.Record) string { return r.Proto }),
		"path":        words(func(r *proxy.Record) string { return r.Request.URL.EscapedPath() }),
		"uri":         func(b []byte, r *proxy.Record) []byte { return d.appendURI(b, r.Request.URL.RequestURI()) },
		"args":        func(b []byte, r *proxy.Record) []byte { return d.appendQuery(b, r.Request.URL.RawQuery) },
		"query": func(b []byte, r *proxy.Record) []byte {
			if q := r.Request.URL.RawQuery; q != "" {
				b = d.appendQuery(append(b, '?'), q)
			}
			return b
		},
		"user":       words(func(r *proxy.Record) string { return user(r.Request) }),
		"request_id": words(func(r *proxy.Record) string { return r.ID }),
		"route":      words(func(r *proxy.Record) string { return r.Route }),
		"pool":       words(func(r *proxy.Record) string { return r.Pool }),
		"upstream":   words(func(r *proxy.Record) string { return r.Upstream }),
		"upstreams":  eachAttempt(func(b []byte, r *proxy.Record, i int) []byte { return append(b, r.Attempts[i].Upstream...) }),
	}
	maps.Copy(all, tlsNames())
	return all
}

// braceKinds are those with a parameter, as in {header:User-Agent}.
var braceKinds = map[string]func(*compiler, string){
	"header":          (*compiler).header,
	"response_header": (*compiler).sentHeader,
	"upstream_header": (*compiler).upstreamHeader,
	"cookie":          (*compiler).cookie,
	"query":           (*compiler).parameter,
}

func (c *compiler) parameter(name string) {
	c.named(name, func(r *proxy.Record) string { return r.Request.URL.Query().Get(name) })
}

// brace adds a variable in braces.
func (c *compiler) brace(name string) error {
	names := braceNames(c.redactor)
	if v, ok := names[name]; ok {
		c.value(v)
		return nil
	}
	kind, parameter, _ := strings.Cut(name, ":")
	if add := braceKinds[kind]; add != nil && parameter != "" {
		add(c, parameter)
		return nil
	}
	known := slices.Sorted(maps.Keys(names))
	for kind := range braceKinds {
		known = append(known, kind+":NAME")
	}
	return unknown(name, "{%s}", known)
}

// words is a value that is text already.
func words(of func(*proxy.Record) string) value {
	return func(b []byte, r *proxy.Record) []byte { return append(b, of(r)...) }
}

// fieldOf returns a header of the request, several values joined by commas.
func fieldOf(r *proxy.Record, name string) string {
	if strings.EqualFold(name, "Host") {
		return r.Host
	}
	first, more := "", []string(nil)
	for v := range r.Request.ValuesOf(name) {
		if first == "" && more == nil {
			first = v
			continue
		}
		more = append(more, v)
	}
	if more == nil {
		return first
	}
	return first + ", " + strings.Join(more, ", ")
}

func appendClient(b []byte, r *proxy.Record) []byte {
	if !r.Client.IsValid() {
		return append(b, "unix:"...)
	}
	return r.Client.AppendTo(b)
}

// clientPort is that of the connection, unless a proxy in front tells another client.
func clientPort(r *proxy.Record) string {
	peer, err := netip.ParseAddrPort(r.Request.RemoteAddr)
	if err != nil || peer.Addr().Unmap() != r.Client.Unmap() {
		return ""
	}
	return strconv.Itoa(int(peer.Port()))
}

func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}

func scheme(r *proxy.Record) string {
	if r.Request.TLS != nil {
		return "https"
	}
	return "http"
}

// eachAttempt lists something of all attempts, as nginx does of its upstreams.
func eachAttempt(of func(b []byte, r *proxy.Record, i int) []byte) value {
	return func(b []byte, r *proxy.Record) []byte {
		for i := range r.Attempts {
			if i > 0 {
				b = append(b, ", "...)
			}
			start := len(b)
			if b = of(b, r, i); len(b) == start {
				b = append(b, '-')
			}
		}
		return b
	}
}

// answered reports whether an attempt gave the answer that the client got.
func answered(r *proxy.Record, i int) bool {
	a := &r.Attempts[i]
	return i == len(r.Attempts)-1 && a.Status != 0 && cmp.Or(r.Status, http.StatusOK) == a.Status
}
