package convert

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// address returns a listen argument in goodgate's form: "80", "*:80", "[::]:80" and
// ":80" are the same.
func address(arg string) string {
	if strings.HasPrefix(arg, "unix:") {
		return arg
	}
	if _, err := strconv.Atoi(arg); err == nil {
		return ":" + arg
	}
	host, port, err := net.SplitHostPort(arg)
	if err != nil {
		host, port = strings.Trim(arg, "[]"), "80"
	}
	if host == "*" || host == "0.0.0.0" || host == "::" {
		host = ""
	}
	return net.JoinHostPort(host, port)
}

// network returns an address or a network in goodgate's form.
func network(text string) (string, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.String(), true
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked().String(), err == nil
}

// binding is one address of a server.
type binding struct {
	address   string
	secure    bool
	isDefault bool
	at        *nginxconf.Directive
}

// bindings returns the addresses of a server, each once.
func (n *nginx) bindings(s *nginxconf.Server) (all []binding) {
	listens := named(s.Block, "listen")
	if len(listens) == 0 {
		listens = []*nginxconf.Directive{{Name: "listen", Args: []string{"80"}, File: s.File, Line: s.Line}}
	}
	for _, d := range listens {
		has := func(words ...string) bool {
			return slices.ContainsFunc(d.Args[min(1, len(d.Args)):], func(w string) bool { return slices.Contains(words, w) })
		}
		b := binding{address(d.Arg(0)), has("ssl", "quic") || s.One("ssl").Arg(0) == "on", has("default_server", "default"), d}
		if i := slices.IndexFunc(all, func(o binding) bool { return o.address == b.address }); i >= 0 {
			all[i].isDefault = all[i].isDefault || b.isDefault
			continue
		}
		all = append(all, b)
	}
	return all
}

// listeners converts the addresses of all servers, with their TLS settings.
func (n *nginx) listeners() {
	for _, s := range n.Servers {
		for _, b := range n.bindings(s) {
			l := n.listener(b)
			if b.secure {
				l.secure = true
				n.listenerTLS(s, l)
			}
			for _, d := range named(s.Block, "listen") {
				if address(d.Arg(0)) != b.address {
					continue
				}
				l.http3 = l.http3 || slices.Contains(d.Args, "quic")
				l.cleartext2 = l.cleartext2 || !b.secure && (slices.Contains(d.Args, "http2") || scope{n.http, s.Block}.one("http2").Arg(0) == "on")
				if slices.Contains(d.Args, "proxy_protocol") {
					l.proxied = n.believed(d)
				}
			}
		}
	}
	for _, l := range n.file.listeners {
		n.connections(l)
		if l.secure && len(l.certs) == 0 {
			n.refuse("", "listen", "clients of "+l.address+" would be served without TLS, because convert found no certificate for it (ssl_certificate)")
		}
	}
	n.overlaps()
}

func (n *nginx) listener(b binding) *listener {
	if i := slices.IndexFunc(n.file.listeners, func(l *listener) bool { return l.address == b.address }); i >= 0 {
		return n.file.listeners[i]
	}
	l := &listener{address: b.address}
	n.file.listeners = append(n.file.listeners, l)
	return l
}

// overlaps refuses a server on one address beside a server on all addresses of the same
// port. nginx tells their clients apart, and goodgate does not.
func (n *nginx) overlaps() {
	for _, s := range n.Servers {
		for _, b := range n.bindings(s) {
			host, port, err := net.SplitHostPort(b.address)
			wide := ":" + port
			if err != nil || host == "" || !slices.ContainsFunc(n.file.listeners, func(l *listener) bool { return l.address == wide }) {
				continue
			}
			n.refuse(b.at.At(), "listen", "what is meant for "+b.address+" alone would apply to every address of the port, because another server listens on "+wide)
			n.file.listeners = slices.DeleteFunc(n.file.listeners, func(l *listener) bool { return l.address == b.address })
		}
	}
}

// believed returns the networks whose PROXY protocol goodgate trusts. nginx reads it
// from everybody, but takes the client's address from it only for set_real_ip_from.
func (n *nginx) believed(d *nginxconf.Directive) []string {
	if networks := n.realIPFrom(); len(networks) > 0 {
		return networks
	}
	n.refuse(d.At(), "listen", "(proxy_protocol) any client could forge its address, because no set_real_ip_from names the proxies")
	return []string{"127.0.0.0/8"}
}

func (n *nginx) listenerTLS(s *nginxconf.Server, l *listener) {
	sc := scope{n.http, s.Block}
	certs, keys := sc.any("ssl_certificate"), sc.any("ssl_certificate_key")
	for i, c := range certs {
		pair := [2]string{c.Arg(0), ""}
		if i < len(keys) {
			pair[1] = keys[i].Arg(0)
		}
		if strings.Contains(pair[0], "$") || pair[1] == "" || strings.HasPrefix(pair[1], "engine:") {
			n.note(c.At(), c.Name+" "+pair[0], "left out: goodgate cannot read this file")
			continue
		}
		if !slices.Contains(l.certs, pair) {
			l.certs = append(l.certs, pair)
		}
	}
	if p := sc.one("ssl_protocols"); len(p.Args) == 1 && p.Arg(0) == "TLSv1.3" {
		l.minVersion = "1.3"
	}
	if sc.one("ssl_reject_handshake").Arg(0) == "on" && len(n.Servers) > 1 {
		n.note(sc.one("ssl_reject_handshake").At(), "ssl_reject_handshake", "clients that ask for another name get the first certificate, and then 404")
		n.use(sc.one("ssl_reject_handshake"))
	}
	n.clientCerts(s, sc, l)
}

// clientCerts converts the rules for client certificates, if all servers of the
// listener have the same ones.
func (n *nginx) clientCerts(s *nginxconf.Server, sc scope, l *listener) {
	verify, ca, crl := sc.one("ssl_verify_client"), sc.one("ssl_client_certificate"), sc.one("ssl_crl")
	if verify.Name == "" || verify.Arg(0) == "off" {
		n.use(ca, sc.one("ssl_verify_depth"), crl) // they have no effect
		return
	}
	if verify.Arg(0) != "on" && verify.Arg(0) != "optional" || ca.Arg(0) == "" {
		return
	}
	for _, o := range n.Servers {
		osc := scope{n.http, o.Block}
		shared := slices.ContainsFunc(n.bindings(o), func(b binding) bool { return b.address == l.address })
		if shared && (osc.one("ssl_verify_client").Arg(0) != verify.Arg(0) || osc.one("ssl_client_certificate").Arg(0) != ca.Arg(0) || osc.one("ssl_crl").Arg(0) != crl.Arg(0)) {
			return // and it is refused
		}
	}
	n.use(verify, ca)
	if file := crl.Arg(0); file != "" && len(crl.Args) == 1 {
		n.use(crl)
		l.crl = []string{file}
	}
	l.clientCA, l.optional = ca.Arg(0), verify.Arg(0) == "optional" && !n.demanded(l)
	n.note(verify.At(), verify.Name, "TLS refuses a client without a valid certificate; nginx answers 400")
}

// demanded reports whether each server of a listener rejects all requests without a
// valid certificate, which is the effect of "on".
func (n *nginx) demanded(l *listener) bool {
	var demands []*nginxconf.Directive
	for _, s := range n.Servers {
		if !slices.ContainsFunc(n.bindings(s), func(b binding) bool { return b.address == l.address }) {
			continue
		}
		first := named(s.Block, "if", "return", "rewrite")
		if len(first) == 0 || !refusesUnknown(first[0]) || slices.ContainsFunc(n.bindings(s), func(b binding) bool { return b.address != l.address }) {
			return false
		}
		demands = append(demands, first[0], first[0].Block[0])
	}
	n.use(demands...)
	return true
}

// refusesUnknown reports whether a directive is "if ($ssl_client_verify != SUCCESS) {
// return 403; }".
func refusesUnknown(d *nginxconf.Directive) bool {
	return d.Name == "if" && slices.Equal(d.Args, []string{"$ssl_client_verify", "!=", "SUCCESS"}) && len(d.Block) == 1 &&
		d.Block[0].Name == "return" && len(d.Block[0].Args) == 1 && strings.HasPrefix(d.Block[0].Arg(0), "4")
}
