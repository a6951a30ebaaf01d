package gate

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// askHTTP3 returns the status of a request over HTTP/3 by a client that also
// offers other protocols, or why there was none.
func askHTTP3(t *testing.T, addr string, c *tls.Config, protos ...string) string {
	t.Helper()
	c = c.Clone()
	transport := &http3.Transport{
		TLSClientConfig: c,
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			c = c.Clone()
			c.NextProtos = append(protos, "h3")
			return quic.DialAddr(ctx, addr, c, q)
		},
	}
	defer transport.Close()
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	res, err := client.Get("https://" + addr + "/")
	if err != nil {
		return "refused"
	}
	res.Body.Close()
	return fmt.Sprint(res.StatusCode)
}

// A client cannot make its QUIC connection look like one of the authority's, to which
// the listener's rules do not apply: HTTP/3 offers no challenges.
func TestChallengeIsNotServedOverHTTP3(t *testing.T) {
	ca, clients, dir := certtest.NewAuthority(t, "authority"), certtest.NewAuthority(t, "clients"), t.TempDir()
	inCache(t, ca, dir, "one.test")
	if err := os.WriteFile(filepath.Join(dir, "127.0.0.1_1_dir", "one.test.token"), []byte("known"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, parse(t, fmt.Sprintf(`
listeners:
  - address: "127.0.0.1:0"
    http3: {enabled: true}
    tls:
      acme: {hosts: [one.test], accept_terms: true, directory: "https://127.0.0.1:1/dir", cache: %q}
      client_ca: %q
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, dir, clients.File(dir), app(t, "secret"))), Options{})
	stranger := &tls.Config{ServerName: "one.test", InsecureSkipVerify: true}
	known := stranger.Clone()
	known.Certificates = []tls.Certificate{clients.Issue("staff")}
	for _, tc := range []struct {
		name   string
		client *tls.Config
		protos []string
		want   string
	}{
		{"with a certificate", known, nil, "200"},
		{"with a certificate, and acme-tls/1", known, []string{"acme-tls/1"}, "200"},
		{"without", stranger, nil, "refused"},
		{"without, and acme-tls/1", stranger, []string{"acme-tls/1"}, "refused"},
	} {
		if got := askHTTP3(t, r.addrs[0], tc.client, tc.protos...); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}
