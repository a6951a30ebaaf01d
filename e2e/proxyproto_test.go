package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// nginx as an upstream with the PROXY protocol learns the address of each client, over
// IPv4 and IPv6, and keeps the connection of a client that stays.
func TestProxyProtocolToNginx(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir, address := t.TempDir(), freeAddress(t)
			writeFile(t, dir, "nginx.conf", fmt.Sprintf(`
events {}
http {
  server {
    listen %s proxy_protocol;
    location / { return 200 "$proxy_protocol_addr $proxy_protocol_port $connection"; }
  }
}
`, address))
			startNginxFile(t, dir, "nginx.conf", address)
			six := fmt.Sprintf("[::1]:%d", freePort(t))
			g := startGate(t, `
listeners: ["${LISTEN}", "${SIX}"]
trusted_proxies: []
pools:
  app:
    upstreams: ["http://${NGINX}"]
    proxy_protocol: ${VERSION}
    health: {path: /}
`, "NGINX="+address, "SIX="+six, "VERSION="+version)
			seen := map[string]bool{}
			for _, at := range []string{g.address, six, g.address} {
				c := connect(t, at)
				first := ""
				for range 3 {
					a, err := c.do(request(t, "GET", "/"))
					if err != nil {
						t.Fatal(err)
					}
					if first == "" {
						first = a.body
					}
					if a.body != first {
						t.Errorf("the same client: got %q, want %q", a.body, first)
					}
				}
				host, port, _ := strings.Cut(c.LocalAddr().String(), "]:")
				if !strings.HasPrefix(host, "[") {
					host, port, _ = strings.Cut(host, ":")
				}
				fields := strings.Fields(first)
				if len(fields) != 3 || fields[0] != strings.TrimPrefix(host, "[") || fields[1] != port {
					t.Errorf("got %q, want address %s and port %s", first, host, port)
					continue
				}
				if seen[fields[2]] {
					t.Errorf("connection %s has served two clients", fields[2])
				}
				seen[fields[2]] = true
			}
			g.finish()
		})
	}
}
