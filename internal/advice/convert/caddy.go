package convert

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// Caddy converts Caddy's JSON configuration. file is the name of the source.
func Caddy(text []byte, file string) (*Result, error) {
	t, err := parseTree(text, file)
	if err != nil {
		return nil, err
	}
	return fromCaddy(t, &Result{}), nil
}

// caddy converts Caddy's JSON. A Caddyfile is turned into JSON first.
type caddy struct {
	*Result
	root     *tree
	server   *tree // the one that is being converted
	pools    map[string]string
	anyCase  bool // conditions ignore the case of paths, as in Caddy
	depth    int
	port     string            // the HTTPS port
	redirect map[string]string // HTTPS ports by the name that is redirected there, "" for all names
}

func fromCaddy(root *tree, r *Result) *Result {
	c := &caddy{Result: r, root: root, pools: map[string]string{}, redirect: map[string]string{}}
	http := root.get("apps", "http")
	c.port = cmp.Or(http.str("https_port"), "443")
	plain := cmp.Or(http.str("http_port"), "80")
	servers := http.get("servers")
	if c.anyCase = restricts(servers, 0); !c.anyCase {
		c.noteCase(servers)
	}
	for _, name := range servers.names() {
		c.listeners(servers.get(name), plain)
	}
	if len(c.redirect) > 0 && !slices.ContainsFunc(c.file.listeners, func(l *listener) bool { return portOf(l.address) == plain }) {
		c.file.listeners = append(c.file.listeners, &listener{address: ":" + plain})
		defer c.redirects([]string{":" + plain}, nil)
	}
	c.overlapping("listen")
	c.certificates()
	for _, name := range servers.names() {
		c.serve(servers.get(name), plain)
	}
	if len(servers.names()) == 0 {
		c.Missing = "no HTTP server"
	}
	c.left()
	return r
}

// restricts reports whether a part of a configuration restricts access.
func restricts(t *tree, depth int) bool {
	if t == nil || depth > maxNested {
		return false
	}
	if h := t.of["handler"]; h != nil {
		status := t.of["status_code"]
		abort := t.of["abort"]
		if slices.Contains([]string{"error", "authentication"}, h.text) || !slices.Contains(standardHandlers, h.text) ||
			h.text == "static_response" && (abort != nil || status != nil && status.text >= "400") || h.text == "reverse_proxy" && t.of["handle_response"] != nil {
			return true
		}
	}
	for _, key := range []string{"remote_ip", "client_ip"} {
		if t.of[key] != nil {
			return true
		}
	}
	for _, in := range t.of {
		if restricts(in, depth+1) {
			return true
		}
	}
	return slices.ContainsFunc(t.items, func(in *tree) bool { return restricts(in, depth+1) })
}

// noteCase notes that paths are now case-sensitive, if any condition is on a path.
func (c *caddy) noteCase(t *tree) {
	if t == nil {
		return
	}
	if p := t.of["path"]; p != nil && slices.ContainsFunc(p.items, func(in *tree) bool { return strings.ToUpper(in.text) != strings.ToLower(in.text) }) {
		c.note("", "path", "goodgate compares paths case-sensitively; Caddy ignores the case")
		return
	}
	for _, in := range t.of {
		c.noteCase(in)
	}
	for _, in := range t.items {
		c.noteCase(in)
	}
}

// left notes the parts that were not read. It skips those in caddyMeaningless, and
// refuses those in caddyProtecting.
func (c *caddy) left() {
	for _, key := range []string{"admin", "logging", "storage", "@"} {
		c.root.get(key).use()
	}
	for _, path := range [][]string{{"apps", "pki"}, {"apps", "http", "grace_period"}, {"apps", "http", "shutdown_delay"}, {"apps", "http", "metrics"}} {
		c.root.get(path...).use()
	}
	for _, app := range c.root.names("apps") {
		if app != "http" && app != "tls" {
			in := c.root.get("apps", app)
			c.note(in.at, app, "left out: it is not part of an HTTP proxy")
			in.use()
		}
	}
	c.root.unread(func(words []string, t *tree) {
		what := words[len(words)-1]
		if slices.Contains(words, "routes") && what == "handle" {
			c.note(t.at, c.what(t.items), "is never reached, because an earlier directive in Caddy's order answers all requests")
			return
		}
		if slices.Contains(caddyMeaningless, what) || strings.HasPrefix(what, "@") {
			return
		}
		if lost, protects := caddyProtecting[what]; protects {
			c.refuse(t.at, what, lost)
			return
		}
		c.note(t.at, what, "left out: goodgate has no equivalent")
	})
}

// addresses returns the addresses of a server in goodgate's form.
func (c *caddy) addresses(s *tree) (all []string) {
	for _, a := range s.strs("listen") {
		plain := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(a, "tcp/"), "tcp4/"), "tcp6/")
		if path, ok := strings.CutPrefix(a, "unix/"); ok {
			path, _, _ = strings.Cut(path, "|")
			plain = "unix:" + path
		}
		out := plain
		if !strings.HasPrefix(plain, "unix:") {
			out = address(plain)
			if !isListener(plain) {
				c.note(s.get("listen").place(), "listen", "%s is left out: goodgate cannot listen on this address", a)
				continue
			}
		} else if !isUpstream(plain) {
			c.note(s.get("listen").place(), "listen", "%s is left out: goodgate cannot listen on this address", a)
			continue
		}
		if !slices.Contains(all, out) {
			all = append(all, out)
		}
	}
	return all
}

// isListener reports whether goodgate can listen on an address.
func isListener(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if host == "" {
		host = "localhost"
	}
	return err == nil && isUpstream("http://"+net.JoinHostPort(host, port))
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// listeners converts the addresses of a server. If the server has names or TLS policies,
// all addresses but the one for HTTP get TLS: Caddy obtains certificates for the names.
func (c *caddy) listeners(s *tree, plain string) {
	names := hostsOf(s)
	policies := s.all("tls_connection_policies")
	auto := s.get("automatic_https")
	secure := len(policies) > 0 || len(names) > 0 && !auto.on("disable")
	for _, a := range c.addresses(s) {
		if slices.ContainsFunc(c.file.listeners, func(o *listener) bool { return o.address == a }) {
			c.refuse(s.place(), "listen", "two servers listen on "+a+", and convert cannot tell which of them gets a request")
			continue
		}
		l := &listener{address: a, secure: secure && portOf(a) != plain}
		if c.file.listeners = append(c.file.listeners, l); l.secure {
			protocols := s.strs("protocols")
			l.http3 = len(protocols) == 0 || slices.Contains(protocols, "h3")
			c.secured(s, l, names)
			if !auto.on("disable") && !auto.on("disable_redirects") {
				c.leadTo(a, names)
			}
		} else {
			l.cleartext2 = slices.Contains(s.strs("protocols"), "h2c")
		}
		for _, w := range s.all("listener_wrappers") {
			c.wrapper(w, l)
		}
		c.connections(s, l)
	}
	c.trusted(s)
}

// leadTo records that clients without TLS are redirected to an address. If several
// ports have TLS, the redirect uses the configured HTTPS port.
func (c *caddy) leadTo(a string, names []string) {
	port := ""
	if p := portOf(a); p != c.port {
		port = ":" + p
	}
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		if have, ok := c.redirect[name]; !ok || have != "" {
			c.redirect[name] = port
		}
	}
}

// hostsOf returns the host names in the conditions of a server's routes.
func hostsOf(s *tree) (names []string) {
	skipped := s.strs("automatic_https", "skip")
	for _, r := range s.all("routes") {
		for _, m := range r.all("match") {
			for _, name := range m.strs("host") {
				if !slices.Contains(names, name) && !slices.Contains(skipped, name) && !strings.Contains(name, "{") {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func (c *caddy) wrapper(w *tree, l *listener) {
	switch kind := w.str("wrapper"); kind {
	case "tls":
	case "proxy_protocol":
		l.proxied = ranges(w.strs("allow"))
		w.use()
		if len(l.proxied) == 0 {
			l.proxied = []string{"0.0.0.0/0", "::/0"} // Caddy accepts it from everybody
		}
	case "http_redirect":
		c.note(w.at, kind, "left out: goodgate has no equivalent")
		w.use()
	default:
		c.refuse(w.at, kind, "its rules for connections would be lost")
		w.use()
	}
}

// connections converts a server's settings for client connections.
func (c *caddy) connections(s *tree, l *listener) {
	if d := s.span(time.Nanosecond, "read_header_timeout"); d > 0 {
		l.settings = with(l.settings, "timeouts.header", min(max(d, 10*time.Millisecond), 10*time.Minute).String())
	}
	if d := s.span(time.Nanosecond, "idle_timeout"); d > 0 {
		l.settings = with(l.settings, "timeouts.keepalive", min(max(d, 100*time.Millisecond), time.Hour).String())
	}
	if n := bytesOf(s.str("max_header_bytes")); n > 0 {
		l.settings = with(l.settings, "max_header", size(min(max(n, 1<<10), 16<<20)))
	}
}

// trusted converts the trusted proxies. goodgate has one list for all servers.
func (c *caddy) trusted(s *tree) {
	t := s.get("trusted_proxies")
	headers := s.strs("client_ip_headers")
	if t == nil {
		return
	}
	if source := t.str("source"); source != "static" {
		c.note(t.at, "trusted_proxies", "%s is left out: it is not a list of networks. goodgate takes the client address from the connection", source)
		t.use()
		return
	}
	networks := ranges(t.strs("ranges"))
	if len(c.file.trusted) > 0 && !slices.Equal(c.file.trusted, networks) {
		c.note(t.at, "trusted_proxies", "goodgate has one list, which applies to all servers")
	}
	for _, n := range networks {
		if !slices.Contains(c.file.trusted, n) {
			c.file.trusted = append(c.file.trusted, n)
		}
	}
	if len(headers) > 0 && isField(headers[0]) && !strings.EqualFold(headers[0], "X-Forwarded-For") {
		c.file.trustedHeaders = []string{headers[0], "X-Forwarded-Proto", "X-Request-Id"}
	}
}

// privateRanges are the networks that Caddy calls private_ranges.
var privateRanges = []string{"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1"}

// ranges returns networks in goodgate's form, or nil if one of them is not a network.
func ranges(list []string) (all []string) {
	for _, text := range list {
		if text == "private_ranges" {
			all = append(all, privateRanges...)
			continue
		}
		n, ok := network(text)
		if !ok {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// serve converts the routes of a server.
func (c *caddy) serve(s *tree, plain string) {
	c.server = s
	addresses := c.addresses(s)
	if len(addresses) == 0 {
		return
	}
	d := draft{route: route{conditions: c.at(addresses, nil)}}
	c.routes(s.all("routes"), d, func(d draft) {
		if len(c.redirect) > 0 && slices.ContainsFunc(addresses, func(a string) bool { return portOf(a) == plain }) {
			c.redirects(addresses, &d)
		}
		c.end(d)
	})
	for _, r := range s.all("errors", "routes") {
		c.note(r.at, "handle_errors", "left out: goodgate has its own error pages (errors.html, errors.dir)")
	}
	s.get("errors").use()
	for _, key := range []string{"timeouts", "read_timeout", "write_timeout", "keepalive_interval"} {
		if t := s.of[key]; t != nil {
			c.note(t.at, key, "left out: see timeouts and max_header of a listener")
			t.use()
		}
	}
}

// redirects adds routes that redirect clients from HTTP to HTTPS.
func (c *caddy) redirects(addresses []string, d *draft) {
	rt := route{conditions: c.at(addresses, nil)}
	if d != nil {
		rt = d.route
	}
	if _, all := c.redirect[""]; all {
		c.redirectHosts(rt, nil, c.redirect[""])
		return
	}
	for _, port := range slices.Compact(slices.Sorted(maps.Values(c.redirect))) {
		var hosts []string
		for _, name := range slices.Sorted(maps.Keys(c.redirect)) {
			if c.redirect[name] == port && isName(strings.TrimPrefix(name, "*.")) {
				hosts = append(hosts, name)
			}
		}
		if len(hosts) > 0 {
			c.redirectHosts(rt, hosts, port)
		}
	}
}

func (c *caddy) redirectHosts(rt route, hosts []string, port string) {
	in, can := rt.and(conditions{hosts: hosts})
	if can == unsayable {
		c.note("", "automatic_https", "wildcard names are not redirected to HTTPS, because the file also has other names")
	}
	if can == possible {
		rt = rt.answering(answer{redirect: "https://{host}" + port + "{path}{query}", status: 308})
		rt.conditions = in
		c.add(rt)
	}
}

// end adds the answer for requests that no handler answers: an empty one, as in Caddy.
func (c *caddy) end(d draft) {
	d.pool, d.answer = "", answer{respond: true, status: 200}
	c.add(d.route)
}
