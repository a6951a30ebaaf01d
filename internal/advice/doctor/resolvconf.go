package doctor

import (
	"bufio"
	"net/netip"
	"os"
	"strings"
)

// ofContainer reports whether a name looks like one that only Docker, Podman or
// Kubernetes knows.
func ofContainer(name string) bool {
	name = strings.TrimSuffix(name, ".")
	for _, end := range []string{".docker.internal", ".containers.internal", ".svc", ".cluster.local"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return !strings.Contains(name, ".")
}

// resolvConf describes the system's name servers.
func resolvConf() string {
	servers, search := nameServers()
	if len(servers) == 0 {
		return ""
	}
	text := "name server " + strings.Join(servers, ", ")
	if len(search) > 0 {
		text += " (search domains " + strings.Join(search, ", ") + ")"
	}
	return text
}

// FirstNameServer returns the first of this machine's name servers, with brackets
// around an IPv6 address; "" if there is none.
func FirstNameServer() string {
	servers, _ := nameServers()
	for _, s := range servers {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			if a.Is6() {
				return "[" + s + "]"
			}
			return s
		}
	}
	return ""
}

// nameServers returns the system's name servers and search domains.
func nameServers() (servers, search []string) {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			servers = append(servers, fields[1])
		case "search", "domain":
			search = fields[1:]
		}
	}
	return servers, search
}
