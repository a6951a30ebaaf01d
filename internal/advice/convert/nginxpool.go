package convert

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

const nginxTimeout = 60 * time.Second // of connect, send and read

// pool returns the name of the pool for a location's upstreams and settings. Locations
// with other timeouts have their own pools.
func (n *nginx) pool(l *nginxconf.Location) string {
	p := &pool{
		dial:     l.Duration(l.Prefix()+"_connect_timeout", nginxTimeout),
		response: l.Duration(l.Prefix()+"_read_timeout", nginxTimeout),
	}
	if l.Secure() {
		n.poolTLS(l, p)
	}
	next := l.One(l.Prefix() + "_next_upstream").Args
	if tries, err := strconv.Atoi(l.One(l.Prefix() + "_next_upstream_tries").Arg(0)); err == nil && tries > 0 {
		p.attempts = tries
	}
	if l.Prefix() == "grpc" {
		p.protocol = map[bool]string{false: "h2c", true: "h2"}[l.Secure()]
	}
	if len(next) == 1 && next[0] == "off" {
		p.attempts = 1
	}
	n.nextUpstream(l, p)
	p.unkept = l.One("proxy_request_buffering").Arg(0) == "off"
	base := "app"
	if u := l.Group(n.Config); u != nil {
		base = u.Name
		n.group(u, l, p)
	} else {
		base = l.Host
		p.servers = []server{{url: n.url(l, l.Addr())}}
		p.keepalive = 0
	}
	if r := l.One("resolver").Arg(0); isName(strings.Split(r, ":")[0]) && l.Named(n.Config) {
		p.resolver = r
		if _, _, err := net.SplitHostPort(r); err != nil {
			p.resolver = net.JoinHostPort(strings.Trim(r, "[]"), "53")
		}
	}
	if n.usable(p, l.Pass.At(), n.listening(l.Server)); len(p.servers) == 0 {
		return ""
	}
	key := fmt.Sprint(base, *p)
	if name, known := n.pools[key]; known {
		return name
	}
	p.name = n.free(base)
	n.pools[key] = p.name
	n.file.pools = append(n.file.pools, p)
	return p.name
}

// nextUpstream converts the statuses on which nginx tries the next upstream. Without
// any, goodgate's defaults apply.
func (n *nginx) nextUpstream(l *nginxconf.Location, p *pool) {
	d := l.One(l.Prefix() + "_next_upstream")
	for _, word := range d.Args {
		code, isStatus := strings.CutPrefix(word, "http_")
		switch {
		case isStatus && len(code) == 3 && code[0] >= '4' && code[0] <= '5' && strings.Trim(code, "0123456789") == "":
			p.statuses = append(p.statuses, code)
		}
	}
}

// listening returns the addresses of a server.
func (n *nginx) listening(s *nginxconf.Server) (all []string) {
	for _, b := range n.bindings(s) {
		all = append(all, b.address)
	}
	return all
}

// usable removes the servers that goodgate cannot use: those without a valid address,
// and the listeners that the requests may come from, because the requests would come
// back.
func (r *Result) usable(p *pool, where string, by []string) {
	p.servers = slices.DeleteFunc(p.servers, func(s server) bool {
		if isOwn(by, s.url) {
			r.note(where, s.url, "left out: it leads back to this proxy. Give the route the pool that it means")
			return true
		}
		return !isUpstream(s.url)
	})
}

// isOwn reports whether a URL leads to one of these listen addresses.
func isOwn(addresses []string, url string) bool {
	_, address, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(address)
	local := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified())
	}
	return slices.ContainsFunc(addresses, func(own string) bool {
		h, p, e := net.SplitHostPort(own)
		return own == url || err == nil && e == nil && p == port && (h == host || local(host) && (h == "" || h == "localhost" || host == "localhost" && local(h)))
	})
}

// isUpstream reports whether goodgate accepts a URL as an upstream.
func isUpstream(url string) bool {
	if path, ok := strings.CutPrefix(url, "unix:"); ok {
		return strings.HasPrefix(path, "/") && len(path) <= 107 && isPath(path)
	}
	_, address, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), "80"
	}
	number, err := strconv.Atoi(port)
	_, noAddress := netip.ParseAddr(host)
	return err == nil && number > 0 && number <= 65535 && (isName(host) || noAddress == nil)
}

// free returns a pool name that is made from a text and not taken.
func (n *nginx) free(text string) string {
	return freeName(n.file.pools, text)
}

func freeName(pools []*pool, text string) string {
	text = strings.TrimPrefix(text, "unix:")
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "app-" + name
	}
	name = strings.TrimRight(name[:min(len(name), 50)], "-")
	taken := map[string]bool{}
	for _, p := range pools {
		taken[p.name] = true
	}
	if !taken[name] {
		return name
	}
	for i := 2; ; i++ {
		if next := fmt.Sprintf("%s-%d", name, i); !taken[next] {
			return next
		}
	}
}

func (n *nginx) url(l *nginxconf.Location, addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		return addr
	}
	return map[bool]string{false: "http", true: "https"}[l.Secure()] + "://" + addr
}

func (n *nginx) poolTLS(l *nginxconf.Location, p *pool) {
	one := func(name string) *nginxconf.Directive { return new(l.One(l.Prefix() + "_ssl_" + name)) }
	p.insecure = one("verify").Arg(0) != "on"
	if !p.insecure {
		p.ca = one("trusted_certificate").Arg(0)
	}
	name, _, _ := strings.Cut(one("name").Arg(0), ":")
	if one("name").Name == "" && l.Group(n.Config) != nil && (!p.insecure || one("server_name").Arg(0) == "on") {
		name = l.Host // nginx uses the name in the URL
	}
	if isName(name) {
		p.sni = name
	}
	p.cert, p.key = one("certificate").Arg(0), one("certificate_key").Arg(0)
	why := ""
	if strings.Contains(p.cert+p.key, "$") {
		why = "left out: it depends on a variable"
	} else if d := one("password_file"); d.Name != "" {
		why = "left out: goodgate cannot read a key with a password (" + d.Name + "). Store the key without one"
	}
	if why != "" && p.cert != "" {
		p.cert, p.key = "", ""
		n.note(one("certificate").At(), one("certificate").Name, "%s", why)
	}
}

// group converts an upstream block.
func (n *nginx) group(u *nginxconf.Upstream, l *nginxconf.Location, p *pool) {
	p.policy = "round_robin"
	for _, d := range u.Block {
		switch d.Name {
		case "server", "keepalive_timeout", "zone", "resolver":
		case "keepalive_requests":
			p.requests, _ = strconv.Atoi(d.Arg(0))
		case "keepalive_time":
			if age, ok := nginxconf.Duration(d.Arg(0)); ok && age >= time.Second {
				p.age = age
			}
		case "keepalive":
			p.idle, _ = strconv.Atoi(d.Arg(0))
		case "least_conn":
			p.policy = "least_conn"
		case "ip_hash":
			p.policy, p.hashOn = "hash", "client_ip"
		case "random":
			p.policy = "random"
			if d.Arg(0) == "two" {
				p.policy = "p2c"
			}
		case "hash":
			n.hash(d, p)
		default:
			n.note(d.At(), d.Name, "%s", leftOut(d.Name))
		}
	}
	if l.KeepsConnections(n.Config) {
		p.keepalive = u.Timeout
	} else {
		p.idle = 0
	}
	for _, s := range u.Servers {
		n.peer(s, l, p)
	}
}

func (n *nginx) hash(d *nginxconf.Directive, p *pool) {
	p.policy = "hash"
	key := d.Arg(0)
	switch {
	case key == "$remote_addr" || key == "$binary_remote_addr":
		p.hashOn = "client_ip"
	case key == "$request_uri":
		p.hashOn = "uri"
	case key == "$uri":
		p.hashOn = "path"
	case strings.HasPrefix(key, "$arg_") && isToken(key[len("$arg_"):]):
		p.hashOn = "query:" + key[len("$arg_"):]
	case strings.HasPrefix(key, "$http_") && isField(key[len("$http_"):]):
		p.hashOn = "header:" + strings.ReplaceAll(key[len("$http_"):], "_", "-")
	case strings.HasPrefix(key, "$cookie_") && isField(key[len("$cookie_"):]):
		p.hashOn = "cookie:" + key[len("$cookie_"):]
	default:
		p.hashOn = "client_ip"
		n.note(d.At(), "hash "+key, "goodgate has no equivalent and hashes the client's address")
	}
}

func (n *nginx) peer(s nginxconf.Peer, l *nginxconf.Location, p *pool) {
	out := server{url: n.url(l, s.Addr)}
	for name, value := range s.Params {
		number, _ := strconv.Atoi(value)
		switch name {
		case "weight":
			out.weight = number
		case "backup":
			out.backup = true
		case "max_conns":
			out.limit = number
		case "down":
			n.note(s.At(), "server "+s.Arg(0)+" down", "left out, because it is marked down")
			return
		case "max_fails", "fail_timeout":
			n.note(s.At(), name, "goodgate's circuit breaker and health checks decide when a server gets no requests; the breaker never ejects the last one")
		case "resolve":
		case "slow_start":
			if d, ok := nginxconf.Duration(value); ok {
				p.slowStart = max(p.slowStart, d)
			}
		default:
			n.note(s.At(), "server parameter "+name, "left out: goodgate has no equivalent")
		}
	}
	p.addServer(out)
}

// addServer adds a server. A server that is already there gets its share as well.
func (p *pool) addServer(s server) {
	for i := range p.servers {
		have := &p.servers[i]
		if have.url != s.url {
			continue
		}
		have.weight = max(have.weight, 1) + max(s.weight, 1)
		if have.limit > 0 && s.limit > 0 {
			have.limit += s.limit
		} else {
			have.limit = 0 // one of the two has no limit
		}
		have.backup = have.backup && s.backup
		return
	}
	p.servers = append(p.servers, s)
}

// mostWeight is the highest weight of an upstream.
const mostWeight = 1000

// reduce makes the weights small, and keeps their ratio.
func (p *pool) reduce() {
	weights := make([]int, len(p.servers))
	for i, s := range p.servers {
		weights[i] = max(s.weight, 1)
	}
	for i, w := range ratio(weights, mostWeight) {
		p.servers[i].weight = w
	}
}

// ratio returns the lowest weights that have the same ratio, or the nearest one with
// weights up to a limit.
func ratio(weights []int, limit int) []int {
	if len(weights) == 0 {
		return nil
	}
	least, most := float64(slices.Min(weights)), float64(slices.Max(weights))
	scaled := func(by float64) (all []int, exact bool) {
		exact = true
		for _, w := range weights {
			x := float64(w) * by
			n := max(math.Round(x), 1)
			exact = exact && math.Abs(x-n) < 1e-3 // the shares of services are rounded
			all = append(all, int(n))
		}
		return all, exact
	}
	for k := 1.0; k*most <= float64(limit)*least; k++ {
		if all, exact := scaled(k / least); exact {
			return all
		}
	}
	all, _ := scaled(float64(limit) / most)
	return all
}
