package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// vhost is a server with some of its names and addresses.
type vhost struct {
	*nginxconf.Server
	conditions
	rank   int // how specific: exact names, wildcards, every name
	length int // length of a wildcard
}

const (
	byName = iota
	byWildcard
	byBeginning // www.example.*
	byExpression
	byDefault
)

// vhosts returns the servers in nginx's order: exact names, the longest wildcard,
// expressions in the order of the file, and the default server of an address.
func (n *nginx) vhosts() []vhost {
	var all []vhost
	for _, s := range n.Servers {
		all = append(all, n.vhostsOf(s)...)
	}
	slices.SortStableFunc(all, func(a, b vhost) int { return cmp.Or(a.rank-b.rank, b.length-a.length) })
	return all
}

func (n *nginx) vhostsOf(s *nginxconf.Server) (all []vhost) {
	var defaults, others []string
	for _, b := range n.bindings(s) {
		if n.isDefault(s, b) {
			defaults = append(defaults, b.address)
		} else {
			others = append(others, b.address)
		}
	}
	exact, wild := n.names(s)
	named := others
	if n.hasExpressions(s) || n.isCovered(s, append(slices.Clone(exact), wild...)) {
		named = append(slices.Clone(others), defaults...)
	}
	if len(named) > 0 && len(exact)+len(wild) > 0 {
		if !n.covers(s, wild) && !n.hasExpressions(s) {
			exact, wild = append(exact, wild...), nil
		}
		if len(exact) > 0 {
			all = append(all, vhost{s, n.at(named, exact), byName, 0})
		}
		for _, w := range wild {
			all = append(all, vhost{s, n.at(named, []string{w}), byWildcard, len(w)})
		}
	}
	if len(others) > 0 || n.hasExpressions(s) {
		all = append(all, n.byExpressions(s, append(slices.Clone(others), defaults...))...)
	}
	if len(defaults) > 0 {
		all = append(all, vhost{s, n.at(defaults, nil), byDefault, 0})
	}
	return all
}

// isDefault reports whether a server gets the requests of an address that no name
// matches: it is the default_server, or the first.
func (n *nginx) isDefault(s *nginxconf.Server, b binding) bool {
	var first *nginxconf.Server
	for _, o := range n.Servers {
		for _, ob := range n.bindings(o) {
			if ob.address != b.address {
				continue
			}
			if ob.isDefault {
				return o == s
			}
			if first == nil {
				first = o
			}
		}
	}
	return first == s
}

// names returns the names of a server that a route can have.
func (n *nginx) names(s *nginxconf.Server) (exact, wild []string) {
	for _, name := range s.Names {
		switch rest, leading := strings.CutPrefix(name, "*."); {
		case name == "_" || name == "" || name == "-" || name == "--": // matches no request
		case strings.HasPrefix(name, "."):
			if isName(name[1:]) {
				exact, wild = append(exact, name[1:]), append(wild, "*"+name)
			}
		case leading && isName(rest):
			wild = append(wild, name)
		case isName(name):
			exact = append(exact, name)
		case n.hostExpression(name) != "": // byExpressions converts it
		default:
			n.note(s.At(), "server_name "+name, "left out: goodgate has no equivalent. Write the names that it stands for (match.host)")
		}
	}
	return exact, wild
}

// hostExpression returns the expression of a name "~..." or "www.example.*". It is
// empty for other names, and if goodgate cannot read it.
func (n *nginx) hostExpression(name string) string {
	if text, ok := strings.CutPrefix(name, "~"); ok {
		re, ok := expression(text, true) // nginx ignores the case of names
		if !ok {
			return ""
		}
		return re
	}
	if begin, ok := strings.CutSuffix(name, ".*"); ok && isName(begin) {
		return "^" + regexp.QuoteMeta(strings.ToLower(begin)) + `\.`
	}
	return ""
}

// byExpressions returns a vhost for each expression in a server's names.
func (n *nginx) byExpressions(s *nginxconf.Server, addresses []string) (all []vhost) {
	for _, name := range s.Names {
		re := n.hostExpression(name)
		if re == "" {
			continue
		}
		v := vhost{s, n.at(addresses, nil), byExpression, 0}
		if !strings.HasPrefix(name, "~") {
			v.rank, v.length = byBeginning, len(name)
		}
		v.hostRe = re
		all = append(all, v)
	}
	return all
}

// hasExpressions reports whether another server has an expression for names. Then the
// names of a default server must come before it.
func (n *nginx) hasExpressions(s *nginxconf.Server) bool {
	return slices.ContainsFunc(n.Servers, func(o *nginxconf.Server) bool {
		return o != s && slices.ContainsFunc(o.Names, func(name string) bool { return n.hostExpression(name) != "" })
	})
}

func isName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}

// covers reports whether a server's wildcards cover a name of another server.
func (n *nginx) covers(s *nginxconf.Server, wild []string) bool {
	return slices.ContainsFunc(n.Servers, func(o *nginxconf.Server) bool {
		return o != s && slices.ContainsFunc(o.Names, func(name string) bool {
			return slices.ContainsFunc(wild, func(w string) bool { return strings.HasSuffix(strings.TrimPrefix(name, "*"), w[1:]) })
		})
	})
}

// isCovered reports whether a wildcard of another server covers one of names.
func (n *nginx) isCovered(s *nginxconf.Server, names []string) bool {
	return slices.ContainsFunc(n.Servers, func(o *nginxconf.Server) bool {
		return o != s && slices.ContainsFunc(o.Names, func(w string) bool {
			w = strings.TrimPrefix(w, "*")
			return strings.HasPrefix(w, ".") && slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, w) })
		})
	})
}

// at returns the conditions for some names at some addresses. Addresses become a scheme
// if that separates them, and no condition if there are no others.
func (r *Result) at(addresses, hosts []string) conditions {
	var all, plain, secure []string
	for _, l := range r.file.listeners {
		all = append(all, l.address)
		if l.secure {
			secure = append(secure, l.address)
		} else {
			plain = append(plain, l.address)
		}
	}
	c := conditions{hosts: hosts}
	addresses = slices.Sorted(slices.Values(addresses))
	same := func(list []string) bool { return slices.Equal(addresses, slices.Sorted(slices.Values(list))) }
	switch {
	case same(all):
	case same(secure):
		c.scheme = "https"
	case same(plain):
		c.scheme = "http"
	default:
		c.listeners = slices.DeleteFunc(addresses, func(a string) bool { return !slices.Contains(all, a) })
	}
	return c
}
