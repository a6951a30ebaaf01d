package proxy

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
)

// This file decides which request fields to trust, and from whom. goodgate removes other
// fields before it uses the request: routes, rates and upstreams see the same request.
//
//   - Options.Trusted are the proxies in front of goodgate.
//   - Options.TrustedHeaders are accepted from trusted proxies and removed from all other
//     requests. One of them has the client's address: see client.go.
//   - X-Forwarded-*, Forwarded, X-Real-IP and Options.DropHeaders are always removed,
//     unless they are in TrustedHeaders. If a trusted proxy has sent X-Forwarded-Host or
//     X-Real-IP, goodgate sets them to the values that it knows.
//   - Fields that the configuration uses for decisions reach upstreams only in its
//     spelling: see spelling.go. Only goodgate sets its own fields.
//
// forwarded.go passes the result on to the upstream.

// DefaultTrustedHeaders returns the default of [Options.TrustedHeaders]: fields that
// proxies set or extend themselves, by default or in their documented setup. A field that
// a proxy passes on unchanged, such as X-Forwarded-Host through nginx, comes from the
// client, and is not in the list.
func DefaultTrustedHeaders() []string {
	return []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"}
}

// DefaultDropHeaders returns the default of [Options.DropHeaders]: fields that some
// applications accept as set by a proxy, and that no client has a reason to send.
func DefaultDropHeaders() []string {
	return []string{
		"Proxy", // httpoxy: CGI makes it HTTP_PROXY, the proxy for the application's own requests
		"X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Rewrite-URL", "X-Original-Host", "X-Host", "X-HTTP-Host-Override",
		"X-Forwarded", "Forwarded-For", "X-Original-Forwarded-For",
		"Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6",
		"Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP", "X-ProxyUser-IP", "X-Remote-IP", "X-Remote-Addr", "X-Originating-IP",
		"Proxy-Client-IP", "WL-Proxy-Client-IP",
	}
}

// trust is the set of rules of a proxy. It is immutable.
type trust struct {
	proxies []netip.Prefix
	fields  fieldTable
	client  string // the canonical name of the field with the client's address; "" = none
}

func newTrust(o *Options) *trust {
	t := &trust{proxies: o.Trusted}
	believed, dropped := o.TrustedHeaders, o.DropHeaders
	if believed == nil {
		believed = DefaultTrustedHeaders()
	}
	if dropped == nil {
		dropped = DefaultDropHeaders()
	}
	t.fields.refusePrefix("X-Forwarded-")
	for _, name := range slices.Concat([]string{"Forwarded", "X-Real-IP", "X-Request-Id"}, dropped) {
		t.fields.refuse(name)
	}
	for _, name := range believed {
		t.fields.believe(name)
		if t.client == "" && tellsAddress(http.CanonicalHeaderKey(name)) {
			t.client = http.CanonicalHeaderKey(name)
		}
	}
	// only upstreams send this field
	t.fields.refuse(drainHeader)
	for _, name := range []string{"Content-Length", "Transfer-Encoding"} { // they decide where a message ends
		t.fields.restrict(name)
	}
	for _, name := range o.decisive() {
		t.fields.restrict(name)
	}
	return t
}

// decisive returns the fields that decide about a request.
func (o *Options) decisive() []string {
	names := slices.Clone(o.Decisive)
	for i := range o.Routes {
		if s := o.Routes[i].Split; s != nil && s.Override != nil && s.Override.Header != "" {
			names = append(names, s.Override.Header)
		}
		for m := range o.Routes[i].Match.parts() {
			if len(m.Methods) > 0 {
				names = append(names, methodFields[:]...)
			}
			names = slices.AppendSeq(names, maps.Keys(m.Headers))
			for _, p := range m.Patterns {
				if p.Of == FromHeader {
					names = append(names, p.Name)
				}
			}
		}
	}
	return names
}

// trusts reports whether an address belongs to a trusted proxy.
func (t *trust) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(t.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// trustsPeer reports whether to trust the peer that sent the request. A peer on a unix
// socket has passed the permissions of the file. On any other socket, a peer without an
// address is not trusted.
func (t *trust) trustsPeer(r *Request, peer netip.Addr) bool {
	if peer.IsValid() {
		return t.trusts(peer)
	}
	local := r.LocalAddr()
	return local == nil || local.Network() == "unix"
}

// dropUnbelieved removes the fields that are not trusted.
func (t *trust) dropUnbelieved(r *Request, trusted bool) {
	r.DropFields(func(name string) bool { return !t.fields.passes(name, trusted) })
}
