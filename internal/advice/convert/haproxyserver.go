package convert

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// withDefaults returns a server line with the parameters of all default-server lines
// added. Parameters of the line itself take precedence, then those of the last line.
func withDefaults(s *haproxy.Section, l haproxy.Line) haproxy.Line {
	l.Words = slices.Clone(l.Words)
	for _, d := range slices.Backward(s.Inherited("default-server")) {
		own := l
		for i := 1; i < len(d.Words); i++ {
			word := d.Words[i]
			end := min(i+max(serverKnown[word], withValue[word]), len(d.Words)-1)
			if opposite, negative := strings.CutPrefix(word, "no-"); !own.Has(word) && !own.Has("no-"+word) && !(negative && own.Has(opposite)) {
				l.Words = append(l.Words, d.Words[i:end+1]...)
			}
			i = end
		}
	}
	return l
}

// serverLines returns the servers of a backend, each with the parameters of
// default-server.
func serverLines(s *haproxy.Section) (all []haproxy.Line) {
	for _, l := range slices.Concat(s.All("server"), s.All("server-template")) {
		all = append(all, withDefaults(s, l))
	}
	return all
}

// servers adds the servers of a backend to its pool. It reports whether one of them has
// a health check.
func (h *fromHAProxy) servers(s *haproxy.Section, p *pool) (checked bool) {
	for _, l := range s.All("server") {
		checked = h.server(withDefaults(s, l), s, p) || checked
	}
	for _, l := range s.All("server-template") {
		h.use(l)
		if name, _, _ := strings.Cut(l.Word(3), ":"); strings.HasPrefix(name, "_") && isName(name) {
			p.servers = append(p.servers, server{srv: name, url: "http://" + name})
		} else {
			one := l
			one.Words = append([]string{"server", l.Word(1)}, l.Words[min(3, len(l.Words)):]...)
			checked = h.server(withDefaults(s, one), s, p) || checked
		}
		h.note(l.At(), "server-template "+l.Word(1), "the pool has all addresses of the name; HAProxy uses up to %s of them", l.Word(2))
		checked = checked || withDefaults(s, l).Has("check")
	}
	return checked
}

// shared converts server parameters that are settings of the pool in goodgate.
func (h *fromHAProxy) shared(s *haproxy.Section, p *pool) {
	if d, ok := haproxy.Duration(h.ofServers(s, "slowstart")); ok {
		p.slowStart = d
	}
	if reuse, err := strconv.Atoi(h.ofServers(s, "max-reuse")); err == nil && reuse >= 0 {
		p.requests = reuse + 1
	}
	if name := h.ofServers(s, "resolvers"); name != "" {
		h.resolver(name, p)
	}
	h.persistence(s, p)
	switch secure := hasFlag(s, "ssl"); {
	case h.ofServers(s, "proto") == "h2":
		p.protocol = map[bool]string{false: "h2c", true: "h2"}[secure]
	case secure && slices.Contains(strings.Split(h.ofServers(s, "alpn"), ","), "h2"):
		p.protocol = "auto"
	}
}

// resolver converts the first server of a resolvers section, because a pool asks one.
func (h *fromHAProxy) resolver(name string, p *pool) {
	s := h.Find("resolvers", name)
	if s == nil {
		return
	}
	servers := s.All("nameserver")
	if len(servers) == 0 {
		return // goodgate asks the system's resolver
	}
	address := strings.TrimPrefix(strings.TrimPrefix(servers[0].Word(2), "udp@"), "tcp@")
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), "53")
	}
	if !isUpstream("http://" + address) {
		h.note(servers[0].At(), "nameserver "+servers[0].Word(1), "left out: goodgate cannot use this address. It asks the system's resolver; set dns.resolver for another one")
		return
	}
	if p.resolver = address; len(servers) > 1 {
		h.note(servers[1].At(), "nameserver "+servers[1].Word(1), "left out: a pool asks only one resolver, the first (dns.resolver)")
	}
}

// persistence converts "cookie NAME insert", HAProxy's sticky sessions.
func (h *fromHAProxy) persistence(s *haproxy.Section, p *pool) {
	l := s.One("cookie")
	if len(l.Words) == 0 || !h.anyCookie(s) {
		return
	}
	h.use(l)
	if !l.Has("insert") || !isToken(l.Word(1)) {
		h.note(l.At(), "cookie "+l.Word(1), "left out: goodgate does not change the application's cookies. Set policy: sticky, which uses its own cookie")
		return
	}
	p.policy, p.hashOn, p.cookie = "sticky", "", l.Word(1)
	h.note(l.At(), "cookie "+l.Word(1), "goodgate sets its own encrypted cookie, so each client may get another upstream once. Set sticky.secret, so that the cookie survives a restart")
	for _, word := range []string{"domain", "maxidle", "maxlife", "dynamic", "attr"} {
		if l.Has(word) {
			h.note(l.At(), "cookie "+l.Word(1)+" "+word, "left out: goodgate has no equivalent (see sticky)")
		}
	}
}

// anyCookie reports whether the servers have cookie values. Without them HAProxy sets
// no cookie.
func (h *fromHAProxy) anyCookie(s *haproxy.Section) bool {
	return slices.ContainsFunc(s.All("server"), func(l haproxy.Line) bool { return l.Has("cookie") }) || s.One("cookie").Has("dynamic")
}

// retryOn converts the statuses on which HAProxy retries. goodgate always retries on
// the other failures.
func (h *fromHAProxy) retryOn(s *haproxy.Section, p *pool) {
	l := s.One("retry-on")
	h.use(l)
	for _, word := range l.Words[min(1, len(l.Words)):] {
		switch {
		case word == "none":
			p.attempts = 1
		case isStatus(word) && !strings.Contains(word, "-"):
			p.statuses = withWord(p.statuses, word)
		case word == "all-retryable-errors":
			for _, status := range []string{"500", "502", "503", "504"} {
				p.statuses = withWord(p.statuses, status)
			}
		}
	}
}

// hashed returns the hash key for a sample of HAProxy. ok is false if goodgate has
// none.
func hashed(fetch string) (on string, ok bool) {
	m := fetched.FindStringSubmatch(strings.TrimPrefix(fetch, "req."))
	switch {
	case fetch == "src":
		return "client_ip", true
	case fetch == "path":
		return "path", true
	case fetch == "url" || fetch == "pathq":
		return "uri", true
	case m == nil || m[2] != "" || m[4] != "":
		return "", false
	case m[1] == "cook":
		return "cookie:" + m[3], isToken(m[3])
	case strings.HasPrefix(m[1], "url"):
		return "query:" + m[3], isParameter(m[3])
	}
	return "header:" + m[3], isField(m[3])
}

func (h *fromHAProxy) balance(s *haproxy.Section, p *pool) {
	l := s.One("balance")
	on, isHash := "", false
	switch algorithm := l.Word(1); {
	case algorithm == "" || algorithm == "roundrobin" || algorithm == "static-rr":
	case algorithm == "leastconn":
		p.policy = "least_conn"
	case algorithm == "random":
		p.policy = "p2c"
	case algorithm == "first":
		p.policy = "first"
	case algorithm == "source":
		on, isHash = "client_ip", true
	case algorithm == "uri":
		on, isHash = map[bool]string{false: "path", true: "uri"}[l.Has("whole")], true
		if l.Has("len") || l.Has("depth") {
			h.note(l.At(), "balance uri", "goodgate hashes the whole path")
		}
	case algorithm == "url_param":
		on, isHash = "query:"+l.Word(2), isParameter(l.Word(2))
	case algorithm == "hash":
		on, isHash = hashed(l.Word(2))
	case strings.HasPrefix(algorithm, "hdr("):
		on, isHash = hashed(algorithm)
	default:
		h.note(l.At(), "balance "+algorithm, "goodgate has no equivalent and uses round_robin")
		return
	}
	if isHash {
		p.policy, p.hashOn = "hash", on
		h.use(s.One("hash-type")) // goodgate's hash is always consistent
	} else if on != "" || strings.HasPrefix(l.Word(1), "h") {
		h.note(l.At(), "balance "+l.Word(1), "goodgate has no equivalent and uses round_robin")
	}
}

// maxOf returns the number of connections that a rule allows for each address: "ge 10"
// allows 9 if the new connection is already counted.
func maxOf(op string, number int, counted bool) int {
	if op == "gt" {
		number++
	}
	if counted {
		number--
	}
	return number
}

// perClient converts a "tcp-request connection reject" by the number of a client's
// connections.
func (h *fromHAProxy) perClient(s *haproxy.Section, l haproxy.Line) bool {
	m := connections.FindStringSubmatch(strings.Join(l.Words, " "))
	table := s.One("stick-table")
	tracks := s.All("tcp-request", "connection", "track-sc0", "src")
	if m == nil || len(tracks) != 1 || len(tracks[0].Words) != 4 || !slices.Contains([]string{"ip", "ipv6"}, table.After("type")) || !strings.Contains(strings.Join(table.Words, " "), "conn_cur") {
		return false
	}
	number, err := strconv.Atoi(cmp.Or(m[2], "0"))
	most := maxOf(m[1], number, tracks[0].No < l.No)
	if err != nil || most < 1 || most > 1_000_000 {
		return false
	}
	for _, b := range s.All("bind") {
		for _, a := range bound(b) {
			for _, o := range h.file.listeners {
				if o.address == a {
					o.settings = with(o.settings, "connections_per_client", fmt.Sprint(most))
				}
			}
		}
	}
	h.use(l, table)
	h.use(tracks...)
	return true
}
