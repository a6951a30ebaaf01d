package convert

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// Nginx converts the http part of an nginx configuration.
func Nginx(c *nginxconf.Config) *Result {
	n := &nginx{Config: c, Result: &Result{}, pools: map[string]string{}}
	for _, p := range c.Problems {
		n.note("", "include", "could not be read: %s", p)
	}
	n.unknown(c.Root, topKnown)
	for _, d := range c.Root {
		if d.Name == "http" {
			n.unknown(d.Block, httpKnown)
			n.maps(d.Block)
		}
	}
	n.listeners()
	n.errorPage()
	for _, s := range n.ordered() {
		n.server(s)
	}
	return n.Result
}

type nginx struct {
	*nginxconf.Config
	*Result
	pools map[string]string // name by what it does
}

// unknown notes the directives of a block that are neither converted nor
// without meaning here.
func (n *nginx) unknown(block []*nginxconf.Directive, known func(string) bool) {
	for _, d := range block {
		if !known(d.Name) {
			n.note(d.At(), d.Name, "has no equivalent and is left out")
		}
	}
}

// ordered returns the servers in the order in which routes must stand: those
// found by name first, those for every other name last.
func (n *nginx) ordered() []*nginxconf.Server {
	servers := slices.Clone(n.Servers)
	slices.SortStableFunc(servers, func(a, b *nginxconf.Server) int {
		return rank(n.catchAll(a)) - rank(n.catchAll(b))
	})
	return servers
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

// catchAll reports whether a server takes the requests that no name matches: the
// default_server, or the first of its addresses.
func (n *nginx) catchAll(s *nginxconf.Server) bool {
	for _, l := range s.Listen {
		if slices.Contains(l.Args, "default_server") || slices.Contains(l.Args, "default") {
			return true
		}
	}
	for _, other := range n.Servers {
		if shares(s, other) {
			return other == s
		}
	}
	return true
}

// shares reports whether two servers have an address in common.
func shares(a, b *nginxconf.Server) bool {
	for _, x := range addresses(a) {
		if slices.Contains(addresses(b), x) {
			return true
		}
	}
	return false
}

func addresses(s *nginxconf.Server) []string {
	var all []string
	for _, l := range s.Listen {
		all = append(all, address(l.Arg(0)))
	}
	if len(all) == 0 {
		all = []string{":80"}
	}
	return all
}

// address is a listen argument as goodgate has it: "80", "*:80", "[::]:80" and
// ":80" are one.
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

func (n *nginx) listeners() {
	seen := map[string]bool{}
	for _, s := range n.Servers {
		cert, key := s.One("ssl_certificate").Arg(0), s.One("ssl_certificate_key").Arg(0)
		for i, a := range addresses(s) {
			secure := len(s.Listen) > i && (slices.Contains(s.Listen[i].Args, "ssl") || slices.Contains(s.Listen[i].Args, "quic"))
			if seen[a] {
				if secure {
					n.note(s.At(), "ssl_certificate", "give the listener %s this certificate too: %s", a, cert)
				}
				continue
			}
			seen[a] = true
			l := listener{address: a}
			if secure {
				l.cert, l.key = cert, key
			}
			n.file.listeners = append(n.file.listeners, l)
		}
	}
}

// errorPage finds the static page for gateway errors, and lets goodgate use the
// same file.
func (n *nginx) errorPage() {
	for _, s := range n.Servers {
		for _, d := range s.All("error_page") {
			if len(d.Args) < 2 || !slices.Contains(d.Args, "502") {
				continue
			}
			page := d.Args[len(d.Args)-1]
			file := n.static(s, page)
			if file == "" || n.file.page != "" && n.file.page != file {
				n.note(d.At(), d.Name, "is left out: goodgate has one page, a file, for all errors of its own (errors.html)")
				continue
			}
			n.file.page = file
			n.note(d.At(), d.Name, "is the page for errors that goodgate answers itself, for clients that accept HTML; others get text or JSON")
		}
	}
}

// static is the file that a server has for a path, "" when it has none.
func (n *nginx) static(s *nginxconf.Server, path string) string {
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	root := s.One("root").Arg(0)
	for _, d := range s.Block {
		if d.Name == "location" && slices.Contains(d.Args, path) {
			for _, in := range d.Block {
				if in.Name == "root" {
					root = in.Arg(0)
				}
			}
		}
	}
	if root == "" || strings.Contains(root, "$") {
		return ""
	}
	return strings.TrimSuffix(root, "/") + path
}

// maps notes the maps that do more than say whether a WebSocket is asked for,
// which goodgate sees by itself.
func (n *nginx) maps(block []*nginxconf.Directive) {
	for _, d := range block {
		if d.Name == "map" && d.Arg(0) != "$http_upgrade" {
			n.note(d.At(), "map "+d.Arg(0), "has no equivalent and is left out")
		}
	}
}
