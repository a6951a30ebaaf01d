package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/duration"
	"github.com/goodgate/goodgate/internal/edition"
)

// validator reports settings that cannot work, in a decoded configuration that may have other errors.
type validator struct {
	config *Config
	at     positions
	errs   Errors
	meant  []string // keys that unknown keys probably mean, see decoder
}

// errorf reports a mistake, unless it only follows from a misspelt key beside it.
func (v *validator) errorf(path, format string, args ...any) {
	for _, key := range v.meant {
		if around := parentOf(key); path == key || path == around || parentOf(path) == around {
			return
		}
	}
	p := v.at.of(path)
	v.errs = append(v.errs, Error{Line: p.line, Column: p.column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) validate() {
	v.listeners()
	v.listenerNames()
	v.admin()
	v.log(v.config.Log)
	v.clientTLS("tracing.tls", v.config.Tracing.TLS)
	v.clientTLS("metrics.tls", v.config.Metrics.TLS)
	v.zone(v.config.Zone)
	v.presence()
	v.fleet()
	v.editionHas(edition.Minimal)
	for _, name := range slices.Sorted(maps.Keys(v.config.Pools)) {
		if v.config.Pools[name].implied { // what implies it has been checked
			continue
		}
		v.pool("pools."+name, v.config.Pools[name])
	}
	names := map[string]string{}
	for i, r := range v.config.Routes {
		path := index("routes", i)
		if first, taken := names[r.Name]; taken {
			v.errorf(path+".name", "found %q: %s has this name already", r.Name, first)
		}
		names[r.Name] = path
		v.route(path, r)
	}
}

// listeners reports addresses that exclude each other. A wildcard uses the port of every address.
func (v *validator) listeners() {
	type bound struct{ address, host, port, path string }
	var seen []bound
	for i, l := range v.config.Listeners {
		path := index("listeners", i) + ".address"
		v.listenerTLS(index("listeners", i), l)
		v.listenerHTTP3(index("listeners", i), l)
		v.rateKeys(index("listeners", i), l.Limits)
		if l.Address == "" {
			continue
		}
		b := bound{address: l.Address, host: l.Address, path: path}
		if network, _ := l.Network(); network == "tcp" {
			b.host, b.port, _ = net.SplitHostPort(l.Address)
			if addr, err := netip.ParseAddr(b.host); err == nil && addr.IsUnspecified() {
				b.host = ""
			}
		}
		if b.port == "0" {
			continue // any free port
		}
		for _, s := range seen {
			if s.port == b.port && (s.host == b.host || b.port != "" && (s.host == "" || b.host == "")) {
				v.errorf(path, "found %q: %s (%q) has this address already", l.Address, strings.TrimSuffix(s.path, ".address"), s.address)
				break
			}
		}
		seen = append(seen, b)
	}
}

// clientTLS reports half of a client certificate.
func (v *validator) clientTLS(path string, t TLS) {
	if (t.Cert == "") != (t.Key == "") {
		v.errorf(path, "cert and key go together: set both, or neither")
	}
}

func (v *validator) listenerTLS(path string, l Listener) {
	switch {
	case l.TLS == nil && v.at.given(path+".http2.enabled") && l.HTTP2.Enabled && !l.HTTP2.Cleartext:
		v.errorf(path+".http2.enabled", "the listener has no TLS: set http2.cleartext for HTTP/2")
	case l.TLS != nil && l.HTTP2.Cleartext:
		v.errorf(path+".http2.cleartext", "cleartext is for listeners without TLS: remove cleartext or tls")
	case l.TLS != nil && l.TLS.ClientCA == "" && v.at.given(path+".tls.client_auth"):
		v.errorf(path+".tls.client_auth", "needs client_ca, the authorities of the clients' certificates")
	case l.TLS != nil && l.TLS.ClientCA == "" && len(l.TLS.ClientCRL) > 0:
		v.errorf(path+".tls.client_crl", "needs client_ca, the authorities of the clients' certificates")
	}
	switch {
	case l.TLS == nil:
	case l.TLS.ACME != nil:
		v.acme(path+".tls.acme", *l.TLS.ACME)
	case len(l.TLS.Certificates) == 0:
		v.errorf(path+".tls", "set certificates, or acme to obtain them")
	}
}

// listenerHTTP3 reports settings that are impossible with QUIC.
func (v *validator) listenerHTTP3(path string, l Listener) {
	if !l.HTTP3.Enabled {
		return
	}
	path += ".http3.enabled"
	if l.TLS == nil {
		v.errorf(path, "HTTP/3 needs TLS: tls is missing")
	}
	if network, _ := l.Network(); network != "tcp" && l.Address != "" {
		v.errorf(path, "HTTP/3 needs a UDP port at the listener's address, and %q has none", l.Address)
	}
	if len(l.Proxied) > 0 {
		v.errorf(path, "HTTP/3 has no PROXY protocol, so clients could bypass the proxy in front: remove http3 or proxy_protocol")
	}
}

// minToken is the least length of a secret that resists guessing, in bytes.
const minToken = 16

// tooShort describes a secret of n bytes.
func tooShort(n int) string {
	noun := "bytes"
	if n == 1 {
		noun = "byte"
	}
	return fmt.Sprintf("has %d %s: the minimum is %d", n, noun, minToken)
}

// admin checks that only operators reach the API, and that secrets resist guessing.
func (v *validator) admin() {
	a := v.config.Admin
	if n := len(a.Token); n > 0 && n < minToken {
		v.errorf("admin.token", "%s", tooShort(n))
	}
	if n := len(v.config.Events.Webhook.Secret); n > 0 && n < minToken {
		v.errorf("events.webhook.secret", "%s", tooShort(n))
	}
	if network, address := a.Network(); a.Address != "" && network == "tcp" && !a.Secured() && !isLoopback(address) {
		v.errorf("admin.address", "found %q: other machines can reach it: set admin.token", a.Address)
	}
	v.tokens(a)
	for i, l := range v.config.Listeners {
		if a.Address != "" && l.Address == a.Address && !strings.HasSuffix(a.Address, ":0") { // port 0 is any free one
			v.errorf("admin.address", "found %q: %s has this address already", a.Address, index("listeners", i))
		}
	}
}

// takenBy says why a name is not free: first has it, or nobody may use it.
func takenBy(first string) string {
	if first == "" {
		return "this name is reserved"
	}
	return first + " has this name already"
}

// tokens reports equal tokens, and names that are reserved.
func (v *validator) tokens(a Admin) {
	names, texts := map[string]string{"admin": "", "local": ""}, map[Secret]string{}
	if a.Token != "" {
		texts[a.Token] = "admin.token"
	}
	for i, t := range a.Tokens {
		path := index("admin.tokens", i)
		if n := len(t.Token); n > 0 && n < minToken {
			v.errorf(path+".token", "%s", tooShort(n))
		}
		if of, taken := names[t.Name]; taken && t.Name != "" {
			v.errorf(path+".name", "found %q: %s", t.Name, takenBy(of))
		}
		if of, taken := texts[t.Token]; taken && t.Token != "" {
			v.errorf(path+".token", "is the same as %s: give each its own token", of)
		}
		names[t.Name], texts[t.Token] = path, path
	}
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// presence reports missing pools and routes.
func (v *validator) presence() {
	pools := slices.Sorted(maps.Keys(v.config.Pools))
	switch routes := len(v.config.Routes); {
	case len(pools) == 0 && routes == 0 && !v.at.given("pools"):
		v.errorf("", "pools is missing: define a pool with its upstreams")
	case len(pools) == 0 && routes == 0 && len(v.errs) == 0:
		v.errorf("pools", "empty: define a pool with its upstreams")
	case len(pools) > 1 && routes == 0:
		v.errorf("pools", "%d pools (%s) and no routes: add routes that choose between them", len(pools), strings.Join(pools, ", "))
	}
}

func (v *validator) pool(path string, p Pool) {
	v.rateKeys(path, p.Limits)
	v.upstreams(path, p)
	v.fallback(path+".fallback", p.Fallback, []string{strings.TrimPrefix(path, "pools.")})
	v.ordered(path, "dns.min_ttl", "dns.max_ttl", p.DNS.MinTTL, p.DNS.MaxTTL)
	v.ordered(path, "breaker.open_for", "breaker.max_open_for", p.Breaker.OpenFor, p.Breaker.MaxOpenFor)
	v.ordered(path, "retry.backoff", "retry.max_backoff", p.Retry.Backoff, p.Retry.MaxBackoff)
	if n := len(p.Sticky.Secret); n > 0 && n < minToken {
		v.errorf(path+".sticky.secret", "%s", tooShort(n))
	}
	v.sticky(path+".sticky", p.Sticky)
	v.clientTLS(path+".tls", p.TLS)
	if p.Retry.Statuses.overlaps(100, 399) {
		v.errorf(path+".retry.statuses", "statuses below 400 are not failures")
	}
	v.health(path+".health", p.Health)
	v.healthFrom(path+".health", strings.TrimPrefix(path, "pools."), p.Health)
}

// ordered reports a pair of keys whose first exceeds the second.
func (v *validator) ordered(path, first, second string, low, high Duration) {
	if low <= high {
		return
	}
	at, other, word := first, second, "longer"
	if !v.at.given(join(path, first)) {
		at, other, word = second, first, "shorter"
		low, high = high, low
	}
	v.errorf(join(path, at), "found %s: must not be %s than %s (%s)", duration.Text(low), word, other[strings.LastIndexByte(other, '.')+1:], duration.Text(high))
}

func (v *validator) upstreams(path string, p Pool) {
	seen := map[string]string{}
	for i, u := range p.Upstreams {
		at := index(path+".upstreams", i)
		key := cmp.Or(upstreamAddress(u.URL), u.SRV, u.File)
		if _, ok := u.Registry(); ok {
			key = u.Source()
		}
		if first, taken := seen[key]; taken && key != "" {
			field, _ := v.at.givenAny(at, "url", "srv", "file", "http", "docker", "consul", "nomad", "etcd", "kubernetes")
			v.errorf(join(at, field), "found %q: the same upstream as %s", key, first)
		} else {
			seen[key] = strings.TrimPrefix(at, path+".")
		}
		if l := OwnListener(v.config.Listeners, u.URL); l >= 0 && v.comesBack(strings.TrimPrefix(path, "pools."), v.config.Listeners[l]) {
			v.errorf(join(at, "url"), "found %q: this is goodgate's own listener (%s, %q): requests would loop", u.URL, index("listeners", l), v.config.Listeners[l].Address)
		}
		if p.Protocol == "h2c" && (strings.HasPrefix(u.URL, "https:") || u.Scheme == "https") {
			v.errorf(join(path, "protocol"), "found \"h2c\": this is HTTP/2 without TLS, but %s uses TLS: write h2", key)
		}
		if v.at.given(at+".scheme") && u.hasScheme() {
			v.errorf(at+".scheme", "applies to srv, docker, consul, nomad and kubernetes only: a url has its own scheme")
		}
		v.registry(at, u)
	}
}

// upstreamAddress returns the identity of an upstream within its pool: host:port or the path of its socket.
func upstreamAddress(url string) string {
	if _, address, ok := strings.Cut(url, "://"); ok {
		return address
	}
	return url
}

func (v *validator) route(path string, r Route) {
	v.poolExists(path+".pool", r.Pool)
	v.split(path+".split", r)
	v.mirror(path+".mirror", r)
	v.respond(path+".respond", r.Respond)
	v.conditions(path+".match", r.Match)
	if v.at.given(path + ".fallback") {
		v.fallback(path+".fallback", r.Fallback, r.Pools())
	}
	v.headerEdit(path+".request_headers", r.RequestHeaders, true)
	v.headerEdit(path+".response_headers", r.ResponseHeaders, false)
	v.headerEdit(path+".error_headers", r.ErrorHeaders, false)
	v.responseRules(path+".response_rules", r.ResponseRules)
	v.access(path, r)
	v.routeVariables(path, r)
	v.rateKeys(path, r.Limits)
}

func (v *validator) poolExists(path, name string) bool {
	if _, ok := v.config.Pools[name]; ok || name == "" {
		return ok
	}
	pools := slices.DeleteFunc(slices.Sorted(maps.Keys(v.config.Pools)), func(name string) bool { return v.config.Pools[name].implied })
	if len(pools) == 0 && v.at.given("pools") {
		return false // the mistake in all of them is reported already
	}
	hint := didYouMean(name, pools)
	if hint == "" && len(pools) > 0 {
		hint = "; defined: " + strings.Join(pools, ", ")
	}
	v.errorf(path, "found %s: no such pool%s", found(name), hint)
	return false
}

func (v *validator) respond(path string, r *Respond) {
	if r == nil {
		return
	}
	if r.Body != "" && (r.Status == 204 || r.Status == 304) {
		v.errorf(path+".body", "a response with status %d has no body", r.Status)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		v.headerAllowed(path+".headers."+name, name, false)
	}
}

// fallback reports a fallback of the pools in of that leads nowhere, or to another fallback.
func (v *validator) fallback(path string, f *Fallback, of []string) {
	if f == nil {
		return
	}
	v.respond(path+".respond", f.Respond)
	at := path
	if v.at.given(path + ".pool") {
		at += ".pool"
	}
	switch {
	case len(of) == 0:
		v.errorf(path, "applies to pool only: a redirect or a fixed response cannot fail")
	case len(of) == 1 && f.Pool == of[0]:
		v.errorf(at, "found %q: a pool cannot be its own fallback", f.Pool)
	case v.poolExists(at, f.Pool) && v.config.Pools[f.Pool].Fallback != nil:
		v.errorf(at, "found %q: this pool has a fallback itself, and fallbacks cannot be chained: set its fallback on routes instead", f.Pool)
	}
}

func (v *validator) headerEdit(path string, e HeaderEdit, isRequest bool) {
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		v.headerAllowed(path+".set."+name, name, isRequest)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Add)) {
		v.headerAllowed(path+".add."+name, name, isRequest)
	}
	for i, name := range e.Remove {
		v.headerAllowed(index(path+".remove", i), name, isRequest)
	}
	for i, r := range e.Replace {
		v.headerAllowed(index(path+".replace", i)+".header", r.Header, isRequest)
	}
}

// headerAllowed refuses the headers that frame messages and connections (RFC 9110 section 7.6.1), because changing them
// breaks either.
func (v *validator) headerAllowed(path, name string, isRequest bool) {
	switch name {
	case "Host":
		if isRequest {
			v.errorf(path, "set this header with the key host of the route")
		}
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length":
		v.errorf(path, "belongs to the connection: goodgate sets it itself")
	}
}
