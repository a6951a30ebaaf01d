package convert

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// proxy converts a reverse_proxy: its pool, and its changes of requests and answers.
func (c *caddy) proxy(h *tree, d draft) {
	what := c.what([]*tree{h})
	transport := h.get("transport")
	if protocol := transport.str("protocol"); protocol != "" && protocol != "http" {
		c.note(h.at, what, "goodgate does not speak %s to upstreams and answers 404", protocol)
		h.use()
		d.answer = answer{respond: true, status: 404}
		c.add(d.route)
		return
	}
	secure := transport.get("tls") != nil
	if secure && d.host == "" {
		d.host = "upstream" // as Caddy 2.11 does
	}
	c.rewrite(object(h.at, "@directive", what, "uri", h.str("rewrite", "uri"), "method", h.str("rewrite", "method"), "strip_path_prefix", h.str("rewrite", "strip_path_prefix")), &d)
	h.get("rewrite").use()
	if ops := h.get("headers"); ops != nil {
		c.headers(ops, what, &d)
	}
	if d.pool = c.pool(h, what, secure); d.pool == "" {
		c.note(h.at, what, "goodgate cannot use the address of any of its servers and answers 503")
		d.answer = answer{respond: true, status: 503}
	}
	for _, r := range h.all("handle_response") {
		c.refuse(r.at, "handle_response", "rules that depend on the upstream's answer would be lost")
	}
	h.get("handle_response").use()
	c.add(d.finished())
}

// pool converts the upstreams of a reverse_proxy. Equal ones share a pool.
func (c *caddy) pool(h *tree, what string, secure bool) string {
	p := &pool{policy: "random"}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	passive := h.get("health_checks", "passive")
	var weights []string // of the upstreams
	if policy := h.get("load_balancing", "selection_policy"); policy.str("policy") == "weighted_round_robin" {
		weights = policy.strs("weights")
	}
	for i, u := range h.all("upstreams") {
		s := server{url: upstreamURL(u.str("dial"), scheme), limit: u.num("max_requests")}
		if s.limit == 0 {
			s.limit = passive.num("unhealthy_request_count")
		}
		if strings.Contains(s.url, "{") {
			c.note(u.at, what+" "+u.str("dial"), "left out: it depends on a variable")
			continue
		}
		if !isOwn(c.ownAddresses(), s.url) && !isUpstream(s.url) {
			c.note(u.at, what+" "+u.str("dial"), "left out: goodgate cannot use this address")
			continue
		}
		if i < len(weights) {
			if weights[i] == "0" {
				c.note(u.at, what+" "+u.str("dial"), "left out, because its weight is 0")
				continue
			}
			s.weight, _ = strconv.Atoi(weights[i])
		}
		p.addServer(s)
	}
	c.dynamic(h, what, scheme, p)
	c.usable(p, h.place(), c.ownAddresses())
	c.balancing(h, p)
	c.health(h, p)
	c.passive(passive, p)
	c.transport(h.get("transport"), p)
	c.harmless(h, "flush_interval", "stream_timeout", "stream_close_delay", "stream_buffer_size", "stream_logs", "trusted_proxies", "verbose_logs", "proxy_status_name", "response_buffers", "request_buffers", "buffer_requests", "buffer_responses")
	if len(p.servers) == 0 {
		return ""
	}
	return c.pooled(p, p.servers[0])
}

// pooled adds a pool, or returns an equal one.
func (c *caddy) pooled(p *pool, first server) string {
	w := &writer{}
	p.write(w)
	key := w.String()
	if name, known := c.pools[key]; known {
		return name
	}
	_, host, _ := strings.Cut(first.url, "://")
	host, _, _ = strings.Cut(cmp.Or(host, first.url, first.srv), ":")
	p.name = freeName(c.file.pools, cmp.Or(host, first.url, first.srv))
	c.pools[key] = p.name
	c.file.pools = append(c.file.pools, p)
	return p.name
}

// upstreamURL returns a dial address of Caddy as a URL.
func upstreamURL(dial, scheme string) string {
	dial = strings.TrimPrefix(strings.TrimPrefix(dial, "tcp/"), "tcp4/")
	if path, ok := strings.CutPrefix(dial, "unix/"); ok {
		return "unix:" + path
	}
	if strings.HasPrefix(dial, ":") {
		dial = "127.0.0.1" + dial
	}
	return scheme + dial
}

// dynamic converts upstreams from DNS.
func (c *caddy) dynamic(h *tree, what, scheme string, p *pool) {
	t := h.get("dynamic_upstreams")
	if t == nil {
		return
	}
	defer t.use()
	name, service, proto := t.str("name"), t.str("service"), t.str("proto")
	if service != "" && proto != "" {
		name = "_" + service + "._" + proto + "." + name
	}
	switch {
	case t.str("source") == "srv" && isName(name) && scheme == "http://":
		p.servers = append(p.servers, server{srv: name, url: "http://" + name})
	case t.str("source") == "a" && isUpstream(scheme+name+":"+cmp.Or(t.str("port"), "80")):
		p.addServer(server{url: scheme + name + ":" + cmp.Or(t.str("port"), "80")})
	default:
		c.note(t.at, what+" dynamic "+t.str("source"), "left out: goodgate has no equivalent")
	}
}

func (c *caddy) balancing(h *tree, p *pool) {
	b := h.get("load_balancing")
	policy := b.get("selection_policy")
	switch name := policy.str("policy"); name {
	case "", "random":
	case "round_robin", "least_conn", "first":
		p.policy = name
	case "random_choose":
		p.policy = "p2c"
	case "weighted_round_robin":
		p.policy = "round_robin"
	case "ip_hash", "client_ip_hash":
		p.policy, p.hashOn = "hash", "client_ip"
	case "uri_hash":
		p.policy, p.hashOn = "hash", "uri"
	case "header":
		if f := policy.str("field"); isField(f) {
			p.policy, p.hashOn = "hash", "header:"+f
		}
	case "query":
		if key := cmp.Or(policy.str("key"), policy.str("field")); isParameter(key) {
			p.policy, p.hashOn = "hash", "query:"+key
		}
	case "cookie":
		p.policy = "sticky"
		if p.cookie = cmp.Or(policy.str("name"), "lb"); !isToken(p.cookie) {
			p.cookie = "lb"
		}
		c.note(policy.at, "lb_policy cookie", "goodgate sets its own encrypted cookie, so each client may get another upstream once. Set sticky.secret, so that the cookie survives a restart")
	default:
		c.note(policy.at, "lb_policy "+name, "goodgate has no equivalent and uses random")
	}
	policy.use()
	if n := b.num("retries"); n > 0 {
		p.attempts = n + 1
	}
	if d := b.span(time.Nanosecond, "try_duration"); d > 0 {
		p.hold = min(d, 10*time.Minute).String()
	}
	for _, key := range []string{"try_interval", "retry_match"} {
		if t := b.get(key); t != nil {
			c.note(t.at, "lb_"+strings.Replace(key, "retry", "retry", 1), "left out: goodgate retries requests that are safe to retry (see retry and hold)")
			t.use()
		}
	}
}

// health converts the active checks.
func (c *caddy) health(h *tree, p *pool) {
	a := h.get("health_checks", "active")
	if a == nil {
		return
	}
	defer a.use()
	uri := cmp.Or(a.str("uri"), a.str("path"), "/")
	path, _, _ := strings.Cut(uri, "?")
	method := cmp.Or(a.str("method"), "GET")
	status := cmp.Or(a.str("expect_status"), "200-299")
	if len(status) == 1 {
		status += "xx"
	}
	ok := isStatus(status) || len(status) == 3 && status[1:] == "xx" && status[0] >= '1' && status[0] <= '5'
	if !isPath(path) || !isValue(uri) || !ok || !slices.Contains([]string{"GET", "HEAD", "OPTIONS", "POST"}, method) {
		c.note(a.at, "health_uri", "left out: goodgate cannot request this URI, so the health check only connects to the upstreams")
		return
	}
	expect := "status: " + quote(status)
	if body := a.str("expect_body"); body != "" && regexp.QuoteMeta(body) == body {
		expect += ", body: " + quote(body)
	} else if _, err := regexp.Compile(body); err == nil && body != "" && len(body) <= 4096 {
		expect += ", body_regexp: " + quote(body)
	} else if body != "" {
		c.note(a.at, "health_body", "left out: goodgate cannot read this expression")
	}
	parts := []string{"method: " + method, "path: " + quote(uri), "expect: {" + expect + "}"}
	interval := min(max(cmp.Or(a.span(time.Nanosecond, "interval"), 30*time.Second), 10*time.Millisecond), time.Hour)
	timeout := max(min(cmp.Or(a.span(time.Nanosecond, "timeout"), 5*time.Second), 10*time.Minute), time.Millisecond)
	parts = append(parts, "interval: "+interval.String(), "timeout: "+timeout.String())
	fields := map[string]string{}
	for _, name := range a.names("headers") {
		value := strings.Join(a.strs("headers", name), ", ")
		switch {
		case strings.EqualFold(name, "Host") && isName(value):
			parts = append(parts, "host: "+quote(value))
		case isField(name) && plainValue(value):
			fields[name] = value
		default:
			c.note(a.at, "health_headers "+name, "left out: goodgate cannot set this header")
		}
	}
	if len(fields) > 0 {
		parts = append(parts, "headers: "+mapping(fields))
	}
	for key, name := range map[string]string{"passes": "rise", "fails": "fall"} {
		if n := a.num(key); n > 0 && n <= 100 {
			parts = append(parts, fmt.Sprintf("%s: %d", name, n))
		}
	}
	slices.Sort(parts[5:])
	if port := a.str("port"); isPort(port) {
		parts = append(parts, "port: "+port)
	} else if port != "" {
		c.note(a.at, "health_port", "left out: this is not a port")
	}
	if a.str("upstream") != "" {
		c.note(a.at, "health_upstream", "left out: goodgate checks each upstream itself")
	}
	p.health = strings.Join(parts, ", ")
}

// passive converts passive health checks, which Caddy has only with a fail_duration.
func (c *caddy) passive(t *tree, p *pool) {
	if t == nil {
		return
	}
	defer t.use()
	out := t.span(time.Nanosecond, "fail_duration")
	if out == 0 {
		return
	}
	parts := []string{fmt.Sprintf("consecutive: %d", min(max(t.num("max_fails"), 1), 10_000)), fmt.Sprintf("open_for: %s, max_open_for: %s", min(max(out, 100*time.Millisecond), time.Hour), min(max(out, time.Minute), 24*time.Hour))}
	statuses := t.strs("unhealthy_status")
	if len(statuses) > 0 {
		parts = append(parts, "statuses: "+list(statuses))
	}
	for _, s := range statuses {
		if !isStatus(s) && !(len(s) == 3 && s[0] >= '1' && s[0] <= '5' && s[1:] == "xx") {
			parts = parts[:2]
		}
	}
	p.breaker = strings.Join(parts, ", ")
	c.note(t.at, "passive health checks", "goodgate counts consecutive failures, and never ejects the last upstream (see breaker)")
	if t.get("unhealthy_latency") != nil {
		c.note(t.at, "unhealthy_latency", "left out: goodgate compares the latency of upstreams with each other (see outlier)")
	}
}

func (c *caddy) transport(t *tree, p *pool) {
	if t == nil {
		return
	}
	tls := t.get("tls")
	p.insecure = tls.on("insecure_skip_verify")
	if p.sni = tls.str("server_name"); p.sni != "" && !isName(p.sni) {
		c.note(tls.at, "tls_server_name", "left out: its value has a variable that goodgate lacks")
		p.sni = ""
	}
	if files := slices.Concat(tls.strs("root_ca_pem_files"), tls.strs("ca", "pem_files")); len(files) > 0 {
		if p.ca = files[0]; len(files) > 1 {
			c.note(tls.at, "tls_trust_pool", "names several files, but goodgate reads one: concatenate them")
		}
	} else if tls.get("ca") != nil || tls.get("root_ca_pool") != nil {
		c.note(tls.at, "tls_trust_pool", "left out: this is not a file. goodgate trusts the system's authorities")
	}
	p.cert, p.key = tls.str("client_certificate_file"), tls.str("client_certificate_key_file")
	if list := tls.strs("except_ports"); len(list) > 0 {
		c.note(tls.at, "tls_except_ports", "left out: goodgate has no equivalent")
	}
	p.dial = t.span(time.Nanosecond, "dial_timeout")
	p.response = t.span(time.Nanosecond, "response_header_timeout")
	p.keepalive = t.span(time.Nanosecond, "keep_alive", "idle_timeout")
	p.idle = t.num("keep_alive", "max_idle_conns_per_host")
	if v := t.str("proxy_protocol"); v == "v1" || v == "v2" {
		p.proxied = v
	}
	switch versions := t.strs("versions"); {
	case slices.Contains(versions, "h2c"):
		p.protocol = "h2c"
	case slices.Equal(versions, []string{"2"}) && tls != nil:
		p.protocol = "h2"
	}
	if r := t.strs("resolver", "addresses"); len(r) > 0 && isUpstream("http://"+r[0]) && strings.Contains(r[0], ":") {
		p.resolver = r[0]
	}
	for _, key := range []string{"read_timeout", "write_timeout", "max_conns_per_host", "local_address", "forward_proxy_url", "network_proxy"} {
		if in := t.get(key); in != nil {
			c.note(in.at, key, "left out: goodgate has no equivalent")
		}
	}
	t.use()
}

// harmless marks settings that goodgate needs no equivalent for.
func (c *caddy) harmless(t *tree, keys ...string) {
	for _, key := range keys {
		t.get(key).use()
	}
}

var unitOf = map[string]float64{"": 1, "b": 1, "k": 1e3, "kb": 1e3, "kib": 1 << 10, "m": 1e6, "mb": 1e6, "mib": 1 << 20, "g": 1e9, "gb": 1e9, "gib": 1 << 30}

// bytesOf returns a size, 0 for a text that is not a size.
func bytesOf(text string) int64 {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	number := strings.TrimRight(text, "bkmgi")
	n, err := strconv.ParseFloat(number, 64)
	unit, ok := unitOf[text[len(number):]]
	if err != nil || !ok || n < 0 || n*unit > 1<<40 {
		return 0
	}
	return int64(n * unit)
}
