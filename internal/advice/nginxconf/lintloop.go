package nginxconf

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// lintLoop finds a location that passes requests to its own server, which matches the
// same location again. If another server block has the same address and might take the
// request, it finds nothing.
func lintLoop(c *Config, l *Location) (finding.Finding, bool) {
	if l.Host == "" || l.Prefix() != "proxy" || l.URI != "" && !strings.HasPrefix(l.URI, l.Path) {
		return finding.Finding{}, false
	}
	addresses := []string{l.Addr()}
	if u := l.Group(c); u != nil {
		addresses = nil
		for _, p := range u.Servers {
			addresses = append(addresses, p.Addr)
		}
	}
	for _, address := range addresses {
		if !l.Server.at(address) || slices.ContainsFunc(c.Servers, func(s *Server) bool { return s != l.Server && s.at(address) }) {
			continue
		}
		f := warn("loop", reason.LoopDetected, l.Pass.At())
		f.Severity = finding.Error
		f.Seen = fmt.Sprintf("%s leads to %s, where the same server (%s) listens", l, address, l.Server.At())
		f.Means = "each request comes back to nginx until its connections run out: clients get 500, 502 or 504"
		f.Do = "set the application's own port in " + l.Pass.Name
		return f, true
	}
	return finding.Finding{}, false
}

// at reports whether the server listens at an address of this machine.
func (s *Server) at(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if len(s.Listen) == 0 {
		return port == "80" && isLoopback(host)
	}
	return slices.ContainsFunc(s.Listen, func(d Directive) bool {
		on, at, err := net.SplitHostPort(d.Arg(0))
		if err != nil { // only a port, or only an address
			on, at = "*", d.Arg(0)
			if strings.Trim(at, "0123456789") != "" {
				on, at = at, "80"
			}
		}
		everywhere := on == "*" || on == "" || on == "0.0.0.0" || on == "::"
		return at == port && (everywhere && isLoopback(host) || on == host)
	})
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
