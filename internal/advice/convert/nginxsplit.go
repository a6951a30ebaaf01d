package convert

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// splitClients returns the split_clients directive that defines a variable, nil if
// there is none.
func (n *nginx) splitClients(name string) *nginxconf.Directive {
	for _, d := range named(n.http, "split_clients") {
		if len(d.Args) == 2 && d.Arg(1) == name {
			return d
		}
	}
	return nil
}

// divided sets a split on a route, for a proxy_pass whose host split_clients chooses.
// It returns the location of the first pool.
func (n *nginx) divided(l *nginxconf.Location, r *route) (*nginxconf.Location, bool) {
	scheme, rest, _ := strings.Cut(l.Pass.Arg(0), "://")
	d := n.splitClients(l.Variable)
	if d == nil || rest != l.Variable && rest != l.Variable+"$request_uri" {
		return nil, false
	}
	shares, ok := sharesOf(d)
	if !ok {
		return nil, false
	}
	var first *nginxconf.Location
	var parts []string
	for i, s := range shares {
		one := *l
		one.Scheme, one.Host, one.URI, one.Variable = scheme, s.value, "", ""
		pool := n.pool(&one)
		if pool == "" {
			return nil, false
		}
		if i == 0 {
			r.pool, first = pool, &one
		}
		if slices.Contains(r.pools, pool) {
			return nil, false // two parts with one name are one pool, and a split has each pool once
		}
		r.pools = append(r.pools, pool)
		parts = append(parts, fmt.Sprintf("{pool: %s, weight: %d}", pool, s.weight))
	}
	by, exact := dividedBy(d.Arg(0))
	r.split = "{pools: [" + strings.Join(parts, ", ") + "], by: " + by + "}"
	if n.use(d); !exact {
		n.note(d.At(), d.Name, "goodgate identifies clients by %s, because it has no equivalent of %s", by, d.Arg(0))
	}
	n.note(d.At(), d.Name, "the shares are the same, but a client may get a different side than before")
	return first, true
}

// share is a value and its share of the requests.
type share struct {
	value  string
	weight int
}

// sharesOf returns the entries of split_clients, the largest first, because goodgate
// compares the others with it.
func sharesOf(d *nginxconf.Directive) (all []share, ok bool) {
	left := 10_000 // hundredths of a percent
	for _, entry := range d.Block {
		if len(entry.Args) != 1 || entry.Arg(0) == "" || strings.Contains(entry.Arg(0), "$") {
			return nil, false
		}
		weight := left
		if entry.Name != "*" {
			percent, err := strconv.ParseFloat(strings.TrimSuffix(entry.Name, "%"), 64)
			if err != nil || !strings.HasSuffix(entry.Name, "%") || percent < 0 || percent > 100 {
				return nil, false
			}
			weight = int(math.Round(percent * 100))
		}
		left -= weight
		if i := slices.IndexFunc(all, func(s share) bool { return s.value == entry.Arg(0) }); i >= 0 {
			all[i].weight += weight
			continue
		}
		all = append(all, share{entry.Arg(0), weight})
	}
	if len(all) < 2 || left != 0 {
		return nil, false // the remaining requests get an empty value
	}
	slices.SortStableFunc(all, func(a, b share) int { return cmp.Compare(b.weight, a.weight) })
	common := 0
	for _, s := range all {
		for b := s.weight; b > 0; {
			common, b = b, common%b
		}
	}
	for i := range all {
		all[i].weight /= max(common, 1)
	}
	return all, true
}

// dividedBy returns what identifies clients. exact is false if the key has more than
// that.
func dividedBy(key string) (by string, exact bool) {
	var found []string
	for _, v := range variable.FindAllString(key, -1) {
		v = strings.Trim(v, "${}")
		on, ok := countedBy("$" + v)
		name, isParameter := strings.CutPrefix(v, "arg_")
		switch {
		case slices.Contains([]string{"request_id", "msec", "connection", "connection_requests", "remote_port", "pid"}, v):
			return "request", true
		case isParameter && isToken(name):
			on = "query:" + name
		case !ok || on == "all":
			on = ""
		}
		found = append(found, on)
	}
	if len(found) == 1 && found[0] != "" {
		return quote(found[0]), true
	}
	return "client_ip", false
}
