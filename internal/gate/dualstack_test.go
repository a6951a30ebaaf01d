package gate

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/dnstest"
	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// A name with an address of each family is one upstream, which is well by either of
// them, unless the operator says otherwise (nginx/docker-nginx#374; RFC 8305).
func TestNameWithBothFamilies(t *testing.T) {
	for name, tc := range map[string]struct {
		listen, family string
		upstreams      int
		warns          bool
	}{
		"IPv4 only":           {"127.0.0.1:0", "auto", 1, false},
		"IPv6 only":           {"[::1]:0", "auto", 1, false},
		"IPv4 only, each":     {"127.0.0.1:0", "each", 2, true},
		"IPv4 only, ipv4":     {"127.0.0.1:0", "ipv4", 1, false},
		"both":                {"[::]:0", "auto", 1, false},
		"both, each":          {"[::]:0", "each", 2, false},
		"IPv6 only, the same": {"[::1]:0", "ipv6", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listenAlone(t, tc.listen)
			app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
			app.Listener.Close()
			app.Listener = ln
			app.Start()
			t.Cleanup(app.Close)
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			var log logtest.Buffer
			r := start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
pools:
  app:
    upstreams: ["http://app.test.:%s"]
    dns: {resolver: %q, family: %s}
    health: {path: /, rise: 1, fall: 1, interval: 100ms, fast_interval: 100ms, timeout: 30s}`, port, dnstest.Serve(t, dnstest.Loopback), tc.family)), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			for range 4 {
				if status, _, body := lookAt(t, r.addrs[0]); status != http.StatusOK || !strings.HasPrefix(body, "127.0.0.1") {
					t.Errorf("got %d, %q", status, body)
				}
			}
			if found := log.Line("upstreams found"); !strings.Contains(found, fmt.Sprint("count=", tc.upstreams)) {
				t.Errorf("the log has %q, want %d upstreams", found, tc.upstreams)
			}
			if tc.warns { // about the address that fails its check, which may still be in flight
				warned := func() bool { return log.Line("level=WARN") != "" }
				eventually(t, "a warning", warned, func() string { return "none" })
			} else if got := log.Line("level=WARN"); got != "" {
				t.Errorf("the log has %q, want no warning", got)
			}
		})
	}
}

// listenAlone listens at an address, and keeps the same port of the other family's
// loopback address unused: connections there are refused.
func listenAlone(t *testing.T, address string) net.Listener {
	t.Helper()
	for range 20 {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		var other syscall.Sockaddr
		family := syscall.AF_INET
		switch address {
		case "127.0.0.1:0":
			family, other = syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
		case "[::1]:0":
			other = &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
		default:
			return ln
		}
		// A socket that is bound and does not listen keeps the port and refuses.
		fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		if syscall.Bind(fd, other) == nil {
			t.Cleanup(func() { syscall.Close(fd) })
			return ln
		}
		syscall.Close(fd)
		ln.Close()
	}
	t.Fatal("no port is free in both families")
	return nil
}
