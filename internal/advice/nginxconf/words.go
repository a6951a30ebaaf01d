package nginxconf

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// To returns the directive that passes the location's requests to another host or with
// another protocol: To("proxy_pass", "https", "app:443"). It keeps the URI of the
// location if the directive can have one.
func (l *Location) To(pass, scheme, host string) string {
	if scheme != "" {
		scheme += "://"
	}
	uri := l.URI
	if pass != "proxy_pass" {
		uri = ""
	}
	if strings.HasPrefix(host, "unix:") && uri != "" {
		uri = ":" + uri
	}
	return pass + " " + scheme + host + uri + ";"
}

// Written returns the scheme for the location's directive; "" = none.
func (l *Location) Written() string {
	if l.Prefix() == l.Scheme && l.Scheme != "grpc" { // fastcgi, scgi and uwsgi need none
		return ""
	}
	return l.Scheme
}

// WithHeader returns the line that adds a request header. It must be beside the
// existing ones, because a location with its own proxy_set_header inherits none.
func (l *Location) WithHeader(name, value string) string {
	line := fmt.Sprintf("proxy_set_header %s %s;", name, value)
	others := l.All("proxy_set_header")
	if len(others) == 0 || slices.Contains(l.block, others[0]) {
		return line
	}
	return line + "   # beside the others, at " + others[0].At()
}

// Buffers returns the lines that give enough room for a response header, with %s for
// KiB. They include the existing settings that would be too small.
func (l *Location) Buffers() string {
	p := l.Prefix()
	lines := p + "_buffer_size %[1]sk;"
	if p == "grpc" {
		return lines
	}
	lines += "\n" + p + "_buffers 8 %[1]sk;"
	for _, name := range []string{p + "_busy_buffers_size", p + "_temp_file_write_size"} {
		if l.One(name).Name != "" {
			lines += "\n" + name + " %[1]sk;"
		}
	}
	return lines
}

// With returns the server line with another address, and with the same parameters
// except those in without.
func (p Peer) With(addr string, without ...string) string {
	line := []string{"server", addr}
	for _, a := range p.Args[min(1, len(p.Args)):] {
		name, _, _ := strings.Cut(a, "=")
		if !slices.Contains(without, name) {
			line = append(line, a)
		}
	}
	return strings.Join(line, " ") + ";"
}

// Ports returns the ports on which the servers listen.
func (c *Config) Ports() []string {
	var ports []string
	for _, s := range c.Servers {
		for _, l := range s.Listen {
			port := l.Arg(0)
			if _, p, err := net.SplitHostPort(port); err == nil {
				port = p
			}
			ports = append(ports, port)
		}
	}
	return ports
}

// Blocks returns the top-level blocks with a name.
func (c *Config) Blocks(name string) []*Directive {
	return slices.DeleteFunc(slices.Clone(c.Root), func(d *Directive) bool { return d.Name != name })
}

// Has reports whether a directive of the configuration satisfies wanted.
func (c *Config) Has(wanted func(*Directive) bool) bool { return anyOf(c.Root, wanted) }

func anyOf(list []*Directive, wanted func(*Directive) bool) bool {
	return slices.ContainsFunc(list, func(d *Directive) bool { return wanted(d) || anyOf(d.Block, wanted) })
}
