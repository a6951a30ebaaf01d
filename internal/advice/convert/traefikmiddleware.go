package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// traefikProtecting are middlewares without an equivalent that restrict access, with
// what would be lost.
var traefikProtecting = map[string]string{
	"digestAuth": "password-protected pages would be open to everybody",
	"plugin":     "it is not part of Traefik itself, so convert does not know what would be lost",
}

// traefikNoted are middlewares without an equivalent that restrict nothing.
var traefikNoted = []string{"contentType", "grpcWeb", "circuitBreaker"}

// middlewares applies the middlewares of a list to a draft in turn. Requests that none
// of them answers go to next.
func (t *traefik) middlewares(names []string, r *router, d draft, next func(draft)) {
	if len(names) == 0 {
		next(d)
		return
	}
	name, here := bare(names[0])
	m := t.root.get("http", "middlewares", name)
	rest := func(d draft) { t.middlewares(names[1:], r, d, next) }
	if m == nil || !here || len(m.keys) == 0 || len(names) > 1000 {
		t.refuse(r.at, "middlewares", names[0]+" is not in the file, so its restrictions would be lost")
		rest(d)
		return
	}
	kind := m.keys[0]
	in := m.get(kind)
	if strings.EqualFold(kind, "chain") {
		t.middlewares(append(in.strs("middlewares"), names[1:]...), r, d, next)
		return
	}
	t.middleware(kind, name, in, d, rest)
	in.use()
}

func (t *traefik) middleware(kind, named string, m *tree, d draft, next func(draft)) {
	for name, lost := range traefikProtecting {
		if strings.EqualFold(kind, name) {
			t.refuse(m.at, name, lost)
			next(d)
			return
		}
	}
	switch strings.ToLower(kind) {
	case "stripprefix":
		t.stripPrefix(m, m.strs("prefixes"), d, next)
		return
	case "ipallowlist", "ipwhitelist":
		t.allowList(kind, m, d, next)
		return
	case "redirectscheme":
		t.redirectScheme(m, d, next)
		return
	case "redirectregex":
		t.redirectRegex(m, d, next)
		return
	case "headers":
		t.headers(m, d, next)
		return
	case "addprefix", "replacepath", "replacepathregex", "stripprefixregex":
		if !changed(strings.ToLower(kind), m, &d) {
			t.note(m.at, kind, "left out: goodgate has no equivalent (see rewrite_path)")
		}
	case "basicauth":
		t.basicAuth(m, named, &d)
	case "forwardauth":
		t.forwardAuth(m, named, &d)
	case "compress":
		t.compress(m, &d)
	case "errors":
		t.errors(m, &d)
	case "ratelimit":
		t.rate(m, &d)
	case "inflightreq":
		t.inFlight(m, &d)
	case "retry":
		if d.attempts = m.num("attempts"); d.attempts > 0 {
			t.note(m.at, kind, "goodgate retries for all routes of the pool, and only requests that are safe to send again")
		}
	case "buffering":
		d.maxBody = int64(max(m.num("maxRequestBodyBytes"), 0))
		if m.num("maxResponseBodyBytes") > 0 {
			t.refuse(m.at, kind, "answers of any size would be passed on")
		}
	case "passtlsclientcert":
		for _, name := range []string{"X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"} {
			d.dropRequest = withWord(d.dropRequest, name)
		}
		t.note(m.at, kind, "left out: goodgate has no equivalent. It removes these headers from requests, so that no client can forge them (see client_cert for Client-Cert)")
	default:
		if slices.ContainsFunc(traefikNoted, func(s string) bool { return strings.EqualFold(s, kind) }) {
			t.note(m.at, kind, "%s", traefikWithout(kind))
		} else {
			t.refuse(m.at, kind, "convert does not know it, nor what would be lost")
		}
	}
	next(d)
}

// errors converts error pages: goodgate's own pages replace the answers with these
// statuses.
func (t *traefik) errors(m *tree, d *draft) {
	for _, text := range m.strs("status") {
		for status := range strings.SplitSeq(text, ",") {
			if !isStatus(status) || status < "400" {
				t.note(m.at, "errors "+status, "left out: intercept takes only statuses of errors")
				continue
			}
			d.intercept = withWord(d.intercept, status)
		}
	}
	if len(d.intercept) > 0 {
		t.note(m.at, "errors", "goodgate sends its own error pages in place of service %s. Put the pages into a folder, named after the status (errors.dir)", m.str("service"))
	}
}

// stripPrefix strips the first of some prefixes that the path has.
func (t *traefik) stripPrefix(m *tree, prefixes []string, d draft, next func(draft)) {
	if len(prefixes) == 0 {
		next(d)
		return
	}
	prefix, rest := prefixes[0], prefixes[1:]
	c, never, ok := d.inside(conditions{path: strings.TrimSuffix(prefix, "/") + "*"})
	if !ok || !isPrefix(prefix) {
		t.note(m.at, "stripPrefix "+prefix, "left out: goodgate has no equivalent (see rewrite_path)")
		t.stripPrefix(m, rest, d, next)
		return
	}
	if never {
		t.stripPrefix(m, rest, d, next)
		return
	}
	if d.regexp != "" && d.path == "" { // goodgate strips the prefix only where it is present
		if !d.stripped(strings.TrimSuffix(prefix, "/")) || len(rest) > 0 {
			t.note(m.at, "stripPrefix "+prefix, "left out: goodgate has no equivalent (see rewrite_path)")
		}
		next(d)
		return
	}
	t.split(d, []term{{has: c}}, Note{m.at, "stripPrefix", "a route of goodgate cannot have its condition"}, func(d draft) {
		if !d.stripped(strings.TrimSuffix(prefix, "/")) {
			t.note(m.at, "stripPrefix "+prefix, "left out: goodgate has no equivalent (see rewrite_path)")
		}
		next(d)
	}, func(d draft) { t.stripPrefix(m, rest, d, next) })
}

// changed changes the path of a draft as a middleware says.
func changed(kind string, m *tree, d *draft) bool {
	switch kind {
	case "addprefix":
		return d.added(m.str("prefix"))
	case "replacepath":
		return d.to(m.str("path"))
	}
	re := m.str("regex")
	if kind == "stripprefixregex" {
		list := m.strs("regex")
		if len(list) != 1 {
			return false
		}
		re = list[0]
	}
	compiled, err := regexp.Compile(re)
	if err != nil || len(re) > 4096 || strings.Contains(re, "|") {
		return false
	}
	last := "${" + strconv.Itoa(compiled.NumSubexp()+1) + "}"
	if kind == "stripprefixregex" {
		return d.replaced("^(?:"+strings.TrimPrefix(re, "^")+")/?(.*)$", "/"+last)
	}
	to := numbered(m.str("replacement"))
	switch {
	case !strings.HasPrefix(re, "^"):
		return false
	case strings.HasSuffix(re, "$") || strings.HasSuffix(re, "(.*)"):
		return d.replaced(re, to)
	}
	return d.replaced(re+"(.*)$", to+last)
}

// allowList admits only clients of some networks.
func (t *traefik) allowList(kind string, m *tree, d draft, next func(draft)) {
	list := ranges(m.strs("sourceRange"))
	strategy := m.get("ipStrategy")
	status := 403
	if n := m.num("rejectStatusCode"); n >= 200 && n <= 599 {
		status = n
	}
	if len(list) == 0 || strategy != nil && (len(strategy.strs("excludedIPs")) > 0 || strategy.num("depth") > 0) || len(t.file.trusted) > 0 && strategy == nil {
		t.refuse(m.at, kind, "clients that it excludes would get access: with ipStrategy it compares an address other than the one that goodgate takes for the client's")
		next(d)
		return
	}
	t.split(d, []term{{has: conditions{clients: list}}}, Note{m.at, kind, "clients that it excludes would get access"}, next, func(d draft) {
		t.answered(d, answer{respond: true, status: status})
	})
}

func (t *traefik) answered(d draft, a answer) {
	rt := d.answering(a)
	rt.setResponse, rt.access = d.setResponse, d.access
	t.add(rt)
}

// redirects adds a redirect. Traefik's status depends on the method.
func (t *traefik) redirects(to string, permanent bool, d draft) {
	get, others := 302, 307
	if permanent {
		get, others = 301, 308
	}
	t.split(d, []term{{has: conditions{methods: []string{"GET"}}}}, Note{}, func(d draft) {
		t.answered(d, answer{redirect: to, status: get})
	}, func(d draft) { t.answered(d, answer{redirect: to, status: others}) })
}

// plain reports whether a draft is only for requests without TLS, and whether it is
// only for requests with TLS.
func (t *traefik) plain(d draft) (plain, secure bool) {
	plain, secure = true, true
	for _, l := range t.file.listeners {
		if len(d.listeners) > 0 && !slices.Contains(d.listeners, l.address) {
			continue
		}
		plain, secure = plain && !l.secure, secure && l.secure
	}
	return plain || d.scheme == "http", secure || d.scheme == "https"
}

func (t *traefik) redirectScheme(m *tree, d draft, next func(draft)) {
	scheme, port := m.str("scheme"), m.str("port")
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" || port == "" {
		port = ""
	} else {
		port = ":" + port
	}
	plain, secure := t.plain(d)
	switch {
	case scheme != "http" && scheme != "https" || strings.Trim(port, ":0123456789") != "" || plain == secure:
		t.refuse(m.at, "redirectScheme", "requests that it redirects would reach the application instead")
		next(d)
	case scheme == "https" && secure && port == "", scheme == "http" && plain && port == "":
		next(d)
	default:
		t.redirects(scheme+"://{host}"+port+"{path}{query}", m.on("permanent"), d)
	}
}

// countedByClient returns the key that a limit counts by, "" if goodgate cannot count
// by it.
func countedByClient(m *tree) string {
	c := m.get("sourceCriterion")
	name := c.str("requestHeaderName")
	switch {
	case c.on("requestHost") || c.num("ipStrategy", "depth") > 0 || len(c.strs("ipStrategy", "excludedIPs")) > 0:
		return ""
	case name != "" && isField(name):
		return "header:" + name
	}
	return "client_ip"
}

func (t *traefik) rate(m *tree, d *draft) {
	average, burst := m.num("average"), max(m.num("burst"), 1)
	per := m.span(time.Second, "period")
	if per == 0 {
		per = time.Second
	}
	on := countedByClient(m)
	switch {
	case average == 0 && m.str("average") != "" || m.of == nil:
		return
	case average < 1 || average > 1e7 || burst > 1e7 || per < time.Millisecond || per > 24*time.Hour || on == "":
		t.refuse(m.at, "rateLimit", "the rate of requests would be unlimited")
		return
	}
	d.rates = append(slices.Clone(d.rates), fmt.Sprintf("{on: %s, requests: %d, per: %s, burst: %d, ipv6_prefix: 128}", quote(on), average, per, burst))
	t.note(m.at, "rateLimit", "each route counts separately")
}

func (t *traefik) inFlight(m *tree, d *draft) {
	amount := m.num("amount")
	if c := m.get("sourceCriterion"); amount < 1 || amount > 1e7 || len(d.hosts) > 1 || c != nil && !c.on("requestHost") {
		t.refuse(m.at, "inFlightReq", "clients could have any number of requests at once")
		return
	}
	d.maxRequests = amount
	t.note(m.at, "inFlightReq", "goodgate counts the requests of each route separately, and answers those above the limit with 503; Traefik answers 429")
}

func traefikWithout(kind string) string {
	if strings.EqualFold(kind, "circuitBreaker") {
		return "left out: goodgate's own circuit breaker has other settings (see breaker)"
	}
	return "left out: goodgate has no equivalent"
}
