package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// limits converts limit_req and limit_conn if goodgate can count by the same key. The
// guards are for requests that a limit does not count.
func (n *nginx) limits(sc scope, r *route) (guards []guard) {
	for _, d := range sc.any("limit_req") {
		rate, cases, ok := n.rate(d, sc)
		if !ok {
			continue // it is refused
		}
		n.use(d)
		guards = append(guards, n.spared(cases, rate, Note{d.At(), d.Name, protecting[d.Name]})...)
		r.rates = append(r.rates, rate)
		n.note(d.At(), d.Name, "requests above the limit get 429 at once; nginx delays them or answers 503. Each route counts separately")
	}
	for _, d := range sc.any("limit_conn") {
		zone := n.zone("limit_conn_zone", d.Arg(0))
		most, err := strconv.Atoi(d.Arg(1))
		if key := zone.Arg(0); err == nil && most > 0 && most <= 1e7 && (key == "$server_name" || key != "" && !strings.Contains(key, "$")) {
			n.use(d)
			r.maxRequests = most
		}
	}
	return guards
}

// zone returns the directive that defines a zone.
func (n *nginx) zone(kind, name string) *nginxconf.Directive {
	for _, d := range named(n.http, kind) {
		for _, a := range d.Args {
			if strings.HasPrefix(a, "zone="+name+":") {
				return d
			}
		}
	}
	return &nginxconf.Directive{}
}

// rate returns a limit_req as an entry of limits.rates. nginx allows burst and one more
// at once; goodgate's burst includes that one.
func (n *nginx) rate(d *nginxconf.Directive, sc scope) (rate string, cases []valueCase, ok bool) {
	params := map[string]string{}
	for _, a := range d.Args {
		name, value, _ := strings.Cut(a, "=")
		params[name] = value
	}
	zone := n.zone("limit_req_zone", params["zone"])
	on, ok := countedBy(zone.Arg(0))
	if !ok {
		key, some, used, found := n.sparing(zone.Arg(0))
		if on, ok = countedBy(key); !found || !ok {
			return "", nil, false
		}
		cases = some
		n.use(used...)
	}
	for _, a := range zone.Args {
		text, found := strings.CutPrefix(a, "rate=")
		if !found {
			continue
		}
		per := "1s"
		count, isSecond := strings.CutSuffix(text, "r/s")
		if !isSecond {
			per = "1m"
			count = strings.TrimSuffix(text, "r/m")
		}
		requests, err := strconv.Atoi(count)
		burst, _ := strconv.Atoi(params["burst"])
		if err != nil || requests < 1 || requests > 1e7 || burst < 0 || burst >= 1e7 {
			return "", nil, false
		}
		rate = fmt.Sprintf("{name: %s, on: %s, requests: %d, per: %s, burst: %d, ipv6_prefix: 128", quote(freeName(nil, params["zone"])), quote(on), requests, per, burst+1)
		if sc.one("limit_req_dry_run").Arg(0) == "on" {
			rate += ", dry_run: true"
		}
		return rate + "}", cases, true
	}
	return "", nil, false
}

// countedBy returns goodgate's key for nginx's key.
func countedBy(key string) (string, bool) {
	header, isHeader := strings.CutPrefix(key, "$http_")
	cookie, isCookie := strings.CutPrefix(key, "$cookie_")
	switch {
	case key == "$binary_remote_addr" || key == "$remote_addr":
		return "client_ip", true
	case key == "$server_name":
		return "all", true
	case isHeader && isField(header):
		return "header:" + strings.ReplaceAll(header, "_", "-"), true
	case isCookie && isField(cookie):
		return "cookie:" + cookie, true
	}
	return "", false
}
