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

// Note is something that the new configuration does not do, or does otherwise.
type Note struct {
	Where string // "nginx.conf:12"; "" = the whole
	What  string // the directive
	Text  string
}

// String is one line, in printable characters.
func (n Note) String() string {
	return printable.Text(strings.TrimPrefix(strings.TrimSpace(n.Where+": "+n.What+": "+n.Text), ": "))
}

// Result is a new configuration.
type Result struct {
	file  file
	Notes []Note
}

// file is as much of goodgate's configuration as conversions need.
type file struct {
	listeners []listener
	trusted   []string
	page      string // file of the error page
	routes    []route
	pools     []*pool
}

type listener struct {
	address   string
	cert, key string
}

type route struct {
	hosts       []string
	scheme      string // http or https; "" = both
	path        string // with * at its end: a prefix
	headers     map[string]string
	pool        string
	redirect    string
	status      int
	respond     bool
	body        string
	strip, add  string
	host        string
	setRequest  map[string]string
	dropRequest []string
	setResponse map[string]string
	maxBody     int64
}

type pool struct {
	name      string
	policy    string
	hashOn    string
	servers   []server
	insecure  bool
	ca, sni   string
	health    string // flow mapping; "" = the default
	dial      time.Duration
	response  time.Duration
	keepalive time.Duration
	idle      int
	attempts  int
	breaker   string // flow mapping; "" = the default
	resolver  string
}

type server struct {
	url    string
	weight int
	backup bool
	limit  int
}

func (r *Result) note(where, what, format string, args ...any) {
	n := Note{where, what, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

// YAML returns the configuration as a file, the notes as comments before it.
func (r *Result) YAML(from string) []byte {
	w := &writer{}
	w.line("# Made of %s by goodgate convert.", printable.Text(from))
	w.line("#")
	w.line("# Health checks, retries and hold (a request waits for an upstream that is restarting) have their defaults;")
	w.line("# what the other proxy answered 502 at once may be answered well, or later.")
	if len(r.Notes) > 0 {
		w.line("#")
		w.line("# Different, or without an equivalent:")
	}
	for _, n := range r.Notes {
		w.line("#   %s", n) // YAML would end a comment at NEL and U+2028 too
	}
	w.line("")
	r.file.write(w)
	return []byte(w.String())
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
}

func (f *file) write(w *writer) {
	w.line("listeners:")
	for _, l := range f.listeners {
		w.line("  - address: %s", quote(l.address))
		if l.cert != "" {
			w.line("    tls: {certificates: [{cert: %s, key: %s}]}", quote(l.cert), quote(l.key))
		}
	}
	if len(f.trusted) > 0 {
		w.line("trusted_proxies: %s", list(f.trusted))
	}
	if f.page != "" {
		w.line("errors: {html: %s}", quote(f.page))
	}
	w.line("routes:")
	for _, r := range f.routes {
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

func (r route) write(w *writer) {
	w.line("  - match: %s", r.match())
	switch {
	case r.redirect != "":
		w.line("    redirect: {to: %s, status: %d}", quote(r.redirect), r.status)
	case r.respond:
		w.line("    respond: {status: %d, body: %s}", r.status, quote(r.body))
	default:
		w.line("    pool: %s", r.pool)
	}
	for _, kv := range [][2]string{{"strip_prefix", r.strip}, {"add_prefix", r.add}, {"host", r.host}} {
		if kv[1] != "" {
			w.line("    %s: %s", kv[0], quote(kv[1]))
		}
	}
	if len(r.setRequest)+len(r.dropRequest) > 0 {
		w.line("    request_headers: {set: %s, remove: %s}", mapping(r.setRequest), list(r.dropRequest))
	}
	if len(r.setResponse) > 0 {
		w.line("    response_headers: {set: %s}", mapping(r.setResponse))
	}
	if r.maxBody > 0 {
		w.line("    limits: {max_body: %s}", size(r.maxBody))
	}
}

func (r route) match() string {
	var parts []string
	if len(r.hosts) > 0 {
		parts = append(parts, "host: "+list(r.hosts))
	}
	if r.scheme != "" {
		parts = append(parts, "scheme: "+r.scheme)
	}
	if r.path != "" && r.path != "/*" {
		parts = append(parts, "path: "+quote(r.path))
	}
	if len(r.headers) > 0 {
		parts = append(parts, "headers: "+mapping(r.headers))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (p *pool) write(w *writer) {
	w.line("  %s:", p.name)
	w.line("    policy: %s", cmp.Or(p.policy, "round_robin"))
	if p.hashOn != "" {
		w.line("    hash: {on: %s}", quote(p.hashOn))
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
	if p.idle > 0 {
		w.line("    max_idle_conns: %d", p.idle)
	}
	if p.attempts > 0 {
		w.line("    retry: {attempts: %d}", min(p.attempts, 10))
	}
}

func (s server) String() string {
	text := "{url: " + quote(s.url)
	if s.weight > 1 {
		text += fmt.Sprintf(", weight: %d", min(s.weight, 1000))
	}
	if s.backup {
		text += ", tier: 1"
	}
	if s.limit > 0 {
		text += fmt.Sprintf(", max_in_flight: %d", s.limit)
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
	return strings.Join(parts, ", ")
}

func (p *pool) timeouts() string {
	var parts []string
	for _, t := range []struct {
		key string
		d   time.Duration
	}{{"dial", min(p.dial, 5*time.Minute)}, {"response_header", p.response}, {"idle", p.response}, {"keepalive", min(p.keepalive, time.Hour)}} {
		if t.d > 0 {
			parts = append(parts, t.key+": "+t.d.String())
		}
	}
	return strings.Join(parts, ", ")
}

// size writes bytes in the largest unit that needs no fraction.
func size(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if shift := 30 - 10*i; n%(1<<shift) == 0 {
			return fmt.Sprintf("%d%s", n>>shift, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// quote writes a value so that YAML reads text, and goodgate no variable.
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
