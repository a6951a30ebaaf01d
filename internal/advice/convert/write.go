package convert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
)

// YAML returns the configuration as a file that begins with the notes as comments.
func (r *Result) YAML(from string) []byte {
	w := &writer{}
	w.line("# Made from %s by goodgate convert.", printable.Text(from))
	w.line("#")
	w.line("# Health checks, retries and hold (a request waits for an upstream that is restarting) have their defaults;")
	w.line("# requests that got 502 at once from the other proxy may now succeed, or wait for their answer.")
	w.line("# Carried over: %s.", r.Carried())
	w.notes("LOST PROTECTION (do not use this file):", r.Refused)
	w.notes("Different or left out:", r.Notes)
	w.line("")
	r.file.write(w)
	return []byte(w.String())
}

type writer struct{ strings.Builder }

func (w *writer) notes(title string, list []Note) {
	if len(list) == 0 {
		return
	}
	w.line("#")
	w.line("# %s", title)
	for _, n := range list {
		w.line("#   %s", n) // YAML would end a comment at NEL and U+2028 too
	}
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
}

func (f *file) write(w *writer) {
	w.line("listeners:")
	for _, l := range f.listeners {
		w.line("  - address: %s", quote(l.address))
		if len(l.certs) > 0 || len(l.acme) > 0 {
			w.line("    tls: {%s}", l.tls())
		}
		if l.most > 0 {
			w.line("    max_connections: %d", min(l.most, 10_000_000))
		}
		if text := l.http2(); text != "" {
			w.line("    http2: {%s}", text)
		}
		if text := l.settingsOf("timeouts"); text != "" {
			w.line("    timeouts: {%s}", text)
		}
		for _, key := range []string{"max_header", "connections_per_client", "requests_per_connection"} {
			if text := l.settings[key]; text != "" {
				w.line("    %s: %s", key, text)
			}
		}
		if l.http3 {
			w.line("    http3: {enabled: true}")
		}
		if len(l.proxied) > 0 {
			w.line("    proxy_protocol: %s", list(l.proxied))
		}
	}
	if len(f.trusted) > 0 {
		w.line("trusted_proxies: %s", list(f.trusted))
	}
	if len(f.trustedHeaders) > 0 {
		w.line("trusted_headers: %s", list(f.trustedHeaders))
	}
	if pages := f.pages(); pages != "" {
		w.line("errors: {%s}", pages)
	}
	f.log.write(w)
	w.line("routes:")
	for _, r := range f.routes {
		if r.cache == "" && slices.ContainsFunc(f.pools, func(p *pool) bool { return p.cached && (p.name == r.pool || slices.Contains(r.pools, p.name)) }) {
			r.cache = "false"
		}
		r.write(w)
	}
	if len(f.pools) == 0 {
		return
	}
	w.line("pools:")
	for _, p := range f.pools {
		p.write(w)
	}
}

func (f *file) pages() string {
	var parts []string
	for _, kv := range [][2]string{{"html", f.page}, {"dir", f.pageDir}} {
		if kv[1] != "" {
			parts = append(parts, kv[0]+": "+quote(kv[1]))
		}
	}
	return strings.Join(parts, ", ")
}

func (l *listener) tls() string {
	var certs []string
	for _, c := range l.certs {
		certs = append(certs, fmt.Sprintf("{cert: %s, key: %s}", quote(c[0]), quote(c[1])))
	}
	text := "certificates: [" + strings.Join(certs, ", ") + "]"
	if len(l.acme) > 0 {
		text = strings.TrimPrefix(text, "certificates: []") + ", " + l.ordered()
		text = strings.TrimPrefix(text, ", ")
	}
	if l.minVersion != "" {
		text += ", min_version: " + quote(l.minVersion)
	}
	if l.clientCA != "" {
		text += ", client_ca: " + quote(l.clientCA)
	}
	if l.clientCA != "" && len(l.crl) > 0 {
		text += ", client_crl: " + list(l.crl)
	}
	if l.clientCA != "" && l.optional {
		text += ", client_auth: optional"
	}
	return text
}

func (l *listener) http2() string {
	text := l.settingsOf("http2")
	if l.cleartext2 {
		text = strings.TrimSuffix("cleartext: true, "+text, ", ")
	}
	return text
}

func (l *listener) ordered() string {
	var text strings.Builder
	text.WriteString("acme: {hosts: " + list(l.acme) + ", accept_terms: true")
	for _, kv := range [][2]string{{"email", l.authority.email}, {"directory", l.authority.directory}, {"ca", l.authority.ca}} {
		if kv[1] != "" {
			text.WriteString(", " + kv[0] + ": " + quote(kv[1]))
		}
	}
	if l.authority.dns != "" {
		text.WriteString(", dns: " + l.authority.dns)
	}
	return text.String() + "}"
}

func (p *pool) write(w *writer) {
	w.line("  %s:", p.name)
	w.line("    policy: %s", cmp.Or(p.policy, "round_robin"))
	if p.hashOn != "" {
		w.line("    hash: {on: %s}", quote(p.hashOn))
	}
	if p.cookie != "" {
		w.line("    sticky: {cookie: %s%s}", quote(p.cookie), p.stickyBy)
	}
	if p.cached {
		w.line("    cache: true")
	}
	if p.stale != "" {
		w.line("    stale: {%s}", p.stale)
	}
	if p.protocol != "" {
		w.line("    protocol: %s", p.protocol)
	}
	if slices.ContainsFunc(p.servers, func(s server) bool { return s.weight > mostWeight }) {
		p.reduce()
	}
	w.line("    upstreams:")
	for _, s := range p.servers {
		w.line("      - %s", s)
	}
	if tls := p.tls(); tls != "" {
		w.line("    tls: {%s}", tls)
	}
	if p.resolver != "" {
		w.line("    dns: {resolver: %s}", quote(p.resolver))
	}
	if p.health != "" {
		w.line("    health: {%s}", p.health)
	}
	if p.breaker != "" {
		w.line("    breaker: {%s}", p.breaker)
	}
	if t := p.timeouts(); t != "" {
		w.line("    timeouts: {%s}", t)
	}
	if p.hold != "" {
		w.line("    hold: {for: %s}", p.hold)
	}
	if p.slowStart > 0 {
		w.line("    slow_start: %s", min(p.slowStart, time.Hour))
	}
	if p.queue > 0 {
		w.line("    queue: {max_wait: %s}", p.queue)
	}
	if p.requests > 0 {
		w.line("    requests_per_connection: %d", min(p.requests, 1_000_000_000))
	}
	if p.idle > 0 {
		w.line("    max_idle_conns: %d", min(p.idle, 65536))
	}
	if p.proxied != "" {
		w.line("    proxy_protocol: %s", p.proxied)
	}
	if r := p.retry(); r != "" {
		w.line("    retry: {%s}", r)
	}
}

func (s server) String() string {
	text := "{url: " + quote(s.url)
	if s.srv != "" {
		text = "{srv: " + quote(s.srv)
	}
	if s.weight > 1 {
		text += fmt.Sprintf(", weight: %d", s.weight)
	}
	if s.backup {
		text += ", tier: 1"
	}
	if s.limit > 0 {
		text += fmt.Sprintf(", max_in_flight: %d", min(s.limit, 1_000_000))
	}
	return text + "}"
}

func (p *pool) tls() string {
	var parts []string
	if p.insecure {
		parts = append(parts, "insecure: true")
	}
	if p.ca != "" {
		parts = append(parts, "ca: "+quote(p.ca))
	}
	if p.sni != "" {
		parts = append(parts, "server_name: "+quote(p.sni))
	}
	if p.cert != "" && p.key != "" {
		parts = append(parts, "cert: "+quote(p.cert), "key: "+quote(p.key))
	}
	return strings.Join(parts, ", ")
}

func (p *pool) retry() string {
	var parts []string
	if p.attempts > 0 {
		parts = append(parts, fmt.Sprintf("attempts: %d", min(p.attempts, 10)))
	}
	if len(p.statuses) > 0 {
		parts = append(parts, "statuses: ["+strings.Join(p.statuses, ", ")+"]")
	}
	if p.unkept {
		parts = append(parts, "max_body: 0B")
	}
	return strings.Join(parts, ", ")
}

func (p *pool) timeouts() string {
	var parts []string
	for _, t := range []struct {
		key string
		d   time.Duration
	}{{"dial", min(p.dial, 5*time.Minute)}, {"response_header", min(p.response, 24*time.Hour)}, {"idle", min(p.response, 24*time.Hour)}, {"keepalive", min(p.keepalive, time.Hour)}, {"connection_age", min(p.age, 8760*time.Hour)}, {"tunnel_idle", p.tunnel}} {
		if t.d > 0 {
			parts = append(parts, t.key+": "+t.d.String())
		}
	}
	return strings.Join(parts, ", ")
}

// size returns bytes in the largest unit that needs no fraction.
func size(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if shift := 30 - 10*i; n%(1<<shift) == 0 {
			return fmt.Sprintf("%d%s", n>>shift, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// quote writes a value so that YAML reads it as text, and goodgate sees no variable.
func quote(s string) string { return strconv.Quote(strings.ReplaceAll(s, "${", "$${")) }

// word is quote for what is nearly always a plain word.
func word(s string) string {
	if s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return s
	}
	return quote(s)
}

func list(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func mapping(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, quote(k)+": "+quote(m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
