package convert

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// service ends a router: it sends the requests to the pool of a service.
func (t *traefik) service(r *router, name string, d draft) {
	name, here := bare(name)
	s := t.root.get("http", "services", name)
	if strings.HasSuffix(r.str("service"), "@internal") {
		t.note(r.at, r.str("service"), "goodgate answers 404: this is Traefik's own service (see admin for goodgate's)")
		t.answered(d, answer{respond: true, status: 404})
		return
	}
	if s == nil || !here {
		t.note(r.at, "service "+r.str("service"), "goodgate answers 503: the file has no such service")
		t.answered(d, answer{respond: true, status: 503})
		return
	}
	if w := s.get("weighted"); w != nil && t.divided(w, &d) {
		t.add(d.finished())
		return
	}
	p := &pool{name: freeName(t.file.pools, name), attempts: d.attempts}
	keep := t.gather(s, p, whole, false, 0)
	t.usable(p, s.at, t.ownAddresses())
	if len(p.servers) == 0 {
		t.note(s.at, "service "+name, "goodgate answers 503: it cannot use any server of this service")
		t.answered(d, answer{respond: true, status: 503})
		return
	}
	p.reduce()
	if !keep && d.host == "" {
		d.host = "upstream"
	}
	d.pool = t.pooled(p, name)
	if m := s.get("mirroring"); m != nil {
		t.mirrors(m, &d)
	}
	t.add(d.finished())
}

// pooled adds a pool, or returns an equal one.
func (t *traefik) pooled(p *pool, name string) string {
	w := &writer{}
	one := *p
	one.name = name
	one.write(w)
	if have, known := t.pools[w.String()]; known {
		return have
	}
	t.pools[w.String()] = p.name
	t.file.pools = append(t.file.pools, p)
	return p.name
}

// whole is the share of a service that gets all requests. Shares are fractions of it.
const whole = 1 << 40

// gather adds the servers of a service to a pool, with their part of its share. It
// reports whether goodgate keeps the client's Host.
func (t *traefik) gather(s *tree, p *pool, share int, backup bool, depth int) (keep bool) {
	child := func(name string, share int, backup bool) bool {
		name, here := bare(name)
		in := t.root.get("http", "services", name)
		if in == nil || !here || depth > 20 || !t.step() {
			t.note(s.at, "service "+name, "left out: the file has no such service, or it leads to itself")
			return true
		}
		return t.gather(in, p, share, backup, depth+1)
	}
	children := func(list []*tree) {
		sum := 0
		for _, c := range list {
			sum += weightOf(c)
		}
		for _, c := range list {
			if n := weightOf(c); n > 0 {
				keep = child(c.str("name"), fraction(share, n, sum), backup) && keep
			}
		}
	}
	keep = true
	switch {
	case s.get("loadBalancer") != nil:
		return t.balancer(s.get("loadBalancer"), p, share, backup)
	case s.get("weighted") != nil:
		t.sticky(s.get("weighted", "sticky"), p)
		children(s.all("weighted", "services"))
		s.get("weighted").use()
	case s.get("mirroring") != nil:
		m := s.get("mirroring")
		keep = child(m.str("service"), share, backup)
		if depth > 0 {
			t.note(m.at, "mirroring", "the mirrors are left out: goodgate mirrors all requests of a route, not those of a part of a service")
		}
		m.use()
	case s.get("failover") != nil:
		f := s.get("failover")
		keep = child(f.str("service"), share, backup)
		keep = child(f.str("fallback"), share, true) && keep
		f.use()
	case s.get("highestRandomWeight") != nil:
		p.policy, p.hashOn = "hash", "client_ip"
		children(s.all("highestRandomWeight", "services"))
		s.get("highestRandomWeight").use()
	default:
		t.note(s.at, "service", "left out: goodgate has no service of this kind")
	}
	return keep
}

// weightOf returns the weight of a service in another one, or of a server. Without a
// weight it is 1.
func weightOf(t *tree) int {
	if t.str("weight") == "0" {
		return 0
	}
	return min(max(t.num("weight"), 1), 1_000_000)
}

// fraction returns the part of a share that n of sum is. It is never 0.
func fraction(share, n, sum int) int {
	return max(int(math.Round(float64(share)*float64(n)/float64(sum))), 1)
}

func (t *traefik) balancer(b *tree, p *pool, share int, backup bool) (keep bool) {
	joins, sum := len(p.servers) > 0, 0
	var servers []server
	for _, in := range b.all("servers") {
		u, err := url.Parse(in.str("url"))
		if err != nil || u.Host == "" {
			t.note(in.at, "servers "+in.str("url"), "left out: goodgate cannot use this address")
			continue
		}
		out := server{url: u.Scheme + "://" + u.Host, backup: backup, weight: weightOf(in)}
		switch u.Scheme {
		case "http", "https":
		case "h2c":
			p.protocol, out.url = "h2c", "http://"+u.Host
		default:
			t.note(in.at, "servers "+in.str("url"), "left out: goodgate cannot use this address")
			continue
		}
		if u.Port() == "" {
			out.url += map[bool]string{true: ":443", false: ":80"}[u.Scheme == "https"]
		}
		if u.Path != "" && u.Path != "/" {
			t.note(in.at, "servers "+in.str("url"), "the path is left out: Traefik, too, ignores it unless preservePath is set")
		}
		if out.weight > 0 {
			servers = append(servers, out)
			sum += out.weight
		}
		in.use()
	}
	for _, s := range servers {
		s.weight = fraction(share, s.weight, sum)
		p.addServer(s)
	}
	t.strategy(b, p)
	t.sticky(b.get("sticky"), p)
	t.health(b.get("healthCheck"), p)
	own := &pool{}
	if t.transport(b, own); joins && own.tls() != p.tls() {
		t.refuse(b.at, "serversTransport", "services with different TLS settings would become one pool, so goodgate would trust upstreams with other certificates. Use a split of two pools")
	}
	t.transport(b, p)
	if in := b.get("passiveHealthCheck"); in != nil {
		t.note(in.at, "passiveHealthCheck", "goodgate's circuit breaker ejects upstreams by its own rules")
	}
	keep = b.str("passHostHeader") != "false"
	b.use()
	return keep
}

func (t *traefik) strategy(b *tree, p *pool) {
	switch name := b.str("strategy"); name {
	case "p2c":
		p.policy = "p2c"
	case "hrw":
		p.policy, p.hashOn = "hash", "client_ip"
	case "leasttime":
		p.policy = "peak_ewma"
	case "", "wrr":
		p.policy = cmp.Or(p.policy, "round_robin")
	default:
		t.note(b.at, "strategy "+name, "goodgate has no equivalent and uses round_robin")
	}
}

func (t *traefik) sticky(s *tree, p *pool) {
	if s == nil {
		return
	}
	p.policy, p.hashOn, p.cookie = "sticky", "", s.str("cookie", "name")
	if !isToken(p.cookie) {
		p.cookie = "goodgate"
	}
	p.stickyBy = ""
	if s.on("cookie", "secure") {
		p.stickyBy = ", secure: always"
	}
	if site := strings.ToLower(s.str("cookie", "sameSite")); slices.Contains([]string{"lax", "strict", "none"}, site) {
		p.stickyBy += ", same_site: " + site
	}
	if age := s.num("cookie", "maxAge"); age > 0 {
		p.stickyBy += fmt.Sprintf(", ttl: %ds", min(age, 8760*3600))
	}
	t.note(s.at, "sticky", "goodgate sets its own encrypted cookie, so each client may get another upstream once. Set sticky.secret, so that the cookie survives a restart")
	s.use()
}

func (t *traefik) health(h *tree, p *pool) {
	if h == nil {
		return
	}
	if h.str("mode") == "grpc" {
		p.health = "type: grpc, " + healthTimes(h)
		return
	}
	path := cmp.Or(h.str("path"), "/")
	plain, _, _ := strings.Cut(path, "?")
	method := cmp.Or(h.str("method"), "GET")
	if h.str("scheme") == "tcp" || !isPath(plain) || !isValue(path) || !slices.Contains([]string{"GET", "HEAD", "OPTIONS", "POST"}, method) {
		t.note(h.at, "healthCheck", "goodgate has no equivalent, so the health check only finds out whether the servers run")
		return
	}
	status := cmp.Or(h.str("status"), "200-399")
	if !isStatus(status) {
		status = "200-399"
	}
	p.health = fmt.Sprintf("method: %s, path: %s, expect: {status: %s}, %s", method, quote(path), quote(status), healthTimes(h))
	if name := h.str("hostname"); isName(name) {
		p.health += ", host: " + quote(name)
	}
	fields := map[string]string{}
	for _, name := range h.names("headers") {
		if v := h.str("headers", name); isField(name) && plainValue(v) {
			fields[name] = v
		}
	}
	if len(fields) > 0 {
		p.health += ", headers: " + mapping(fields)
	}
	if port := h.str("port"); isPort(port) {
		p.health += ", port: " + port
	} else if port != "" {
		t.note(h.at, "healthCheck port", "left out: this is not a port")
	}
	if scheme := h.str("scheme"); scheme == "http" || scheme == "https" {
		p.health += ", scheme: " + scheme
	}
}

// healthTimes returns the intervals and the timeout of a check.
func healthTimes(h *tree) string {
	interval := min(max(cmp.Or(h.span(time.Second, "interval"), 30*time.Second), 10*time.Millisecond), time.Hour)
	timeout := min(max(cmp.Or(h.span(time.Second, "timeout"), 5*time.Second), time.Millisecond), 10*time.Minute)
	text := fmt.Sprintf("interval: %s, timeout: %s", interval, timeout)
	if d := h.span(time.Second, "unhealthyInterval"); d > 0 {
		text += fmt.Sprintf(", fast_interval: %s", min(max(d, 10*time.Millisecond), time.Hour))
	}
	return text
}

// transport converts a serversTransport.
func (t *traefik) transport(b *tree, p *pool) {
	name, _ := bare(b.str("serversTransport"))
	s := t.root.get("http", "serversTransports", name)
	if name == "" {
		s = t.static.get("serversTransport")
	}
	if s == nil {
		if name != "" {
			t.note(b.at, "serversTransport "+name, "goodgate uses its defaults: the file has no such transport")
		}
		return
	}
	p.insecure = p.insecure || s.on("insecureSkipVerify")
	if sni := s.str("serverName"); isName(sni) {
		p.sni = sni
	}
	if files := s.strs("rootCAs"); len(files) > 0 {
		if p.ca = files[0]; len(files) > 1 {
			t.note(s.at, "rootCAs", "names several files, but goodgate reads one: concatenate them")
		}
	}
	for _, c := range s.all("certificates") {
		p.cert, p.key = c.str("certFile"), c.str("keyFile")
	}
	p.idle = s.num("maxIdleConnsPerHost")
	p.dial = s.span(time.Second, "forwardingTimeouts", "dialTimeout")
	p.response = s.span(time.Second, "forwardingTimeouts", "responseHeaderTimeout")
	p.keepalive = s.span(time.Second, "forwardingTimeouts", "idleConnTimeout")
	for _, key := range []string{"peerCertURI", "spiffe"} {
		if in := s.get(key); in != nil {
			t.refuse(in.at, key, "goodgate would trust upstreams with other certificates")
		}
	}
	s.use()
}
