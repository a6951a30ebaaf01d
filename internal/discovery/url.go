package discovery

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// maxSocketPath is the longest path of a Unix socket on Linux (unix(7)).
const maxSocketPath = 107

// redacted returns a URL, which may be malformed, without the parts that may be secret.
func redacted(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = "***" + s[i:]
	}
	s, _, _ = strings.Cut(s, "?")
	return s
}

// ParseURL parses "http://host:port", "https://host:port" or "unix:/path". Ports
// default to 80 and 443. isName means that the host is not an address: Addr then needs
// a lookup (NewDNS), and Name is the host.
func ParseURL(s string) (t Target, isName bool, err error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return parseSocket(path)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, false, fmt.Errorf("url %q: expected http://host:port, https://host:port or unix:/path", redacted(s))
	}
	ports := map[string]string{"http": "80", "https": "443"}
	switch {
	case ports[u.Scheme] == "":
		return Target{}, false, fmt.Errorf("url %q: expected http://host:port, https://host:port or unix:/path", redacted(s))
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "", strings.Trim(u.Path, "/") != "":
		return Target{}, false, fmt.Errorf("url %q: an upstream has a host and a port, nothing else", redacted(s))
	}
	port := cmp.Or(u.Port(), ports[u.Scheme])
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Target{}, false, fmt.Errorf("url %q: port %s is not in 1 to 65535", redacted(s), port)
	}
	t.TLS = u.Scheme == "https"
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil && printable.Text(addr.Zone()) == addr.Zone() {
		t.Addr = net.JoinHostPort(addr.Unmap().String(), port)
		return t, false, nil
	}
	if !isHostName(host) {
		return Target{}, false, fmt.Errorf("url %q: host %q is neither an address nor a host name", redacted(s), host)
	}
	t.Name = strings.ToLower(host)
	t.Addr = net.JoinHostPort(t.Name, port)
	t.Name = strings.TrimSuffix(t.Name, ".")
	return t, true, nil
}

func parseSocket(path string) (Target, bool, error) {
	if !strings.HasPrefix(path, "/") || printable.Text(path) != path || len(path) > maxSocketPath {
		return Target{}, false, fmt.Errorf("url %q: expected unix: and an absolute path of at most %d printable bytes", "unix:"+path, maxSocketPath)
	}
	return Target{Addr: "unix:" + path}, false, nil
}

// isHostName reports whether s can be a name in DNS or the hosts file: labels of
// letters, digits, "-" and "_", the last one not a number.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		other := strings.IndexFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if label == "" || len(label) > 63 || other >= 0 {
			return false
		}
	}
	_, err := strconv.ParseUint(labels[len(labels)-1], 10, 64)
	return err != nil // otherwise it is a mistyped address, such as 10.0.0.256
}
