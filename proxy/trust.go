package proxy

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
)

// This file says what is believed, and from whom. A field of a request that is
// not believed is dropped before anything looks at the request: routes, rates
// and upstreams see the same.
//
//   - Options.Trusted are the proxies in front of goodgate.
//   - Options.TrustedHeaders are the fields that those are relied on to set. Of
//     everybody else they are dropped. Of these fields one tells the client's
//     address; client.go reads it.
//   - X-Forwarded-* and Forwarded, X-Real-IP and Options.DropHeaders are dropped
//     whoever sends them, unless they are among TrustedHeaders. Where a trusted
//     proxy has sent X-Forwarded-Host or X-Real-IP, goodgate says what it knows.
//   - What the configuration decides by reaches upstreams as it is spelled there,
//     and goodgate's own fields come from goodgate. spelling.go has the spellings.
//
// forwarded.go tells the upstream what has come of it.

// DefaultTrustedHeaders returns what trusted proxies are believed unless
// [Options] says otherwise: the fields that each of them sets, or adds to, by
// itself or as its documentation has it. A field that a proxy passes on as the
// client sent it, such as X-Forwarded-Host through nginx, is the client's word.
func DefaultTrustedHeaders() []string {
	return []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"}
}

// DefaultDropHeaders returns the fields that some application takes for the word
// of the proxy in front of it, and that no client has a reason to send.
func DefaultDropHeaders() []string {
	return []string{
		"Proxy", // httpoxy: CGI makes it HTTP_PROXY, the proxy for the application's own requests
		"X-Original-URL", "X-Rewrite-URL", "X-Original-Host",
		"X-Forwarded", "Forwarded-For", "X-Original-Forwarded-For",
		"Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6",
		"Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP", "X-ProxyUser-IP", "X-Remote-IP", "X-Remote-Addr", "X-Originating-IP",
		"Proxy-Client-IP", "WL-Proxy-Client-IP",
	}
}

// trust is what a proxy believes. It is immutable.
type trust struct {
	proxies []netip.Prefix
	fields  fieldTable
	client  string // the field that tells the client's address, canonical; "" = none
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
	// An upstream's word, which nobody in front has.
	t.fields.refuse(drainHeader)
	for _, name := range []string{"Content-Length", "Transfer-Encoding"} { // where a message ends
		t.fields.restrict(name)
	}
	for _, name := range o.decisive() {
		t.fields.restrict(name)
	}
	return t
}

// decisive returns the fields that decide what becomes of a request.
func (o *Options) decisive() []string {
	names := slices.Clone(o.Decisive)
	for i := range o.Routes {
		if s := o.Routes[i].Split; s != nil && s.Override != nil && s.Override.Header != "" {
			names = append(names, s.Override.Header)
		}
		for m := range o.Routes[i].Match.parts() {
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

// trusts reports whether an address is a trusted proxy's.
func (t *trust) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(t.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// trustsPeer reports whether who sent the request is trusted. A peer on a unix
// socket has passed the file's permissions. On any other socket a peer without
// an address is nobody.
func (t *trust) trustsPeer(r *Request, peer netip.Addr) bool {
	if peer.IsValid() {
		return t.trusts(peer)
	}
	local := r.LocalAddr()
	return local == nil || local.Network() == "unix"
}

// dropUnbelieved takes the fields off a request that may not be believed.
func (t *trust) dropUnbelieved(r *Request, trusted bool) {
	r.DropFields(func(name string) bool { return !t.fields.passes(name, trusted) })
}
