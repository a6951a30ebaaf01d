package nginxconf

import (
	"net"
	"path/filepath"
	"strings"
	"time"
)

// defaultKeepalive is nginx's keepalive_timeout of an upstream block.
const defaultKeepalive = 60 * time.Second

func (c *Config) read() {
	top := &scope{block: c.Root}
	c.User = top.One("user").Arg(0)
	c.PIDFile = top.One("pid").Arg(0)
	c.NoFile = top.One("worker_rlimit_nofile")
	c.addErrorLogs(top)
	for _, d := range c.Root {
		switch d.Name {
		case "events":
			c.Workers = (&scope{block: d.Block}).One("worker_connections")
		case "http":
			c.readHTTP(&scope{parent: top, block: d.Block})
		}
	}
}

func (c *Config) addErrorLogs(s *scope) {
	for _, d := range s.block {
		if d.Name == "error_log" {
			if name := d.Arg(0); name != "stderr" && !strings.HasPrefix(name, "syslog:") && !strings.HasPrefix(name, "memory:") {
				c.ErrorLogs = append(c.ErrorLogs, c.Path(name))
			} else {
				c.Elsewhere = append(c.Elsewhere, *d)
			}
		}
	}
}

// absolute returns an absolute file name, as far as the configuration alone allows: it
// does not contain the compiled-in prefix of nginx.
func (c *Config) absolute(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.File), name)
}

func (c *Config) readHTTP(s *scope) {
	formats := map[string]string{}
	for _, d := range s.block {
		if d.Name == "log_format" && len(d.Args) > 1 {
			text := d.Args[1:]
			if strings.HasPrefix(text[0], "escape=") {
				text = text[1:]
			}
			formats[d.Args[0]] = strings.Join(text, "")
		}
		if d.Name == "upstream" {
			u := readUpstream(d)
			c.Upstreams[u.Name] = u
		}
	}
	c.addErrorLogs(s)
	c.addLogs(s, formats)
	for _, d := range s.block {
		if d.Name == "server" {
			c.readServer(s, d, formats)
		}
	}
}

func (c *Config) addLogs(s *scope, formats map[string]string) {
	for _, d := range s.block {
		if d.Name != "access_log" || d.Arg(0) == "off" || strings.HasPrefix(d.Arg(0), "syslog:") || strings.Contains(d.Arg(0), "$") {
			continue
		}
		c.Logs = append(c.Logs, AccessLog{c.Path(d.Arg(0)), formats[d.Arg(1)]})
	}
}

func (c *Config) readServer(parent *scope, d *Directive, formats map[string]string) {
	s := &Server{scope: scope{parent: parent, block: d.Block}, Directive: *d}
	for _, n := range d.Block {
		switch n.Name {
		case "listen":
			s.Listen = append(s.Listen, *n)
		case "server_name":
			s.Names = append(s.Names, n.Args...)
		}
	}
	c.addErrorLogs(&s.scope)
	c.addLogs(&s.scope, formats)
	c.Servers = append(c.Servers, s)
	c.readLocations(s, &s.scope, nil)
}

// readLocations finds the passes of a server: in its locations, and in the blocks
// within those.
func (c *Config) readLocations(s *Server, in *scope, around *Directive) {
	for _, d := range in.block {
		switch d.Name {
		case "proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass":
			if around == nil {
				continue
			}
			l := newLocation(s, in, around, d)
			c.Passes = append(c.Passes, l)
			if d.Name == "proxy_pass" {
				c.Locations = append(c.Locations, l)
			}
		case "location":
			c.addErrorLogs(&scope{block: d.Block})
			c.readLocations(s, &scope{parent: in, block: d.Block}, d)
		case "if", "limit_except":
			c.readLocations(s, &scope{parent: in, block: d.Block}, around)
		}
	}
}

func readUpstream(d *Directive) *Upstream {
	u := &Upstream{Directive: *d, Name: d.Arg(0), Timeout: defaultKeepalive}
	for _, n := range d.Block {
		switch n.Name {
		case "server":
			u.Servers = append(u.Servers, readPeer(n))
		case "keepalive":
			u.Keepalive = *n
		case "keepalive_timeout":
			if t, ok := Duration(n.Arg(0)); ok {
				u.Timeout = t
			}
		}
	}
	return u
}

func readPeer(d *Directive) Peer {
	p := Peer{Directive: *d, Addr: withPort(d.Arg(0), "80"), Params: map[string]string{}}
	for _, a := range d.Args[min(1, len(d.Args)):] {
		name, value, _ := strings.Cut(a, "=")
		p.Params[name] = value
	}
	return p
}

func withPort(host, port string) string {
	if strings.HasPrefix(host, "unix:") {
		return strings.TrimSuffix(host, ":")
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}
