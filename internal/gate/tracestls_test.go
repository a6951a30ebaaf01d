package gate

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/lab/otlptest"
)

// TestTracesOverTLS: spans reach an endpoint that has a certificate of a private authority
// and asks for a client certificate. A reload with a new certificate in the same file takes
// effect.
func TestTracesOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.NewAuthority(t, "ca")
	names := make(chan string, 10)
	endpoint := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if len(otlptest.Read(t, r).ResourceSpans) > 0 {
			names <- r.TLS.PeerCertificates[0].DNSNames[0]
		}
	}))
	endpoint.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue("otel.test")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	endpoint.StartTLS()
	t.Cleanup(endpoint.Close)
	cert, key := ca.Files(dir, "one", ca.Issue("one.test"))
	yaml := fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
tracing: {endpoint: %q, sample: 100%%, tls: {ca: %q, server_name: otel.test, cert: %q, key: %q}}
pools: {app: {upstreams: [%q], health: {type: none}}}`, endpoint.URL, ca.File(dir), cert, key, app(t, "app"))
	g := start(t, parse(t, yaml), Options{})
	ask := func() {
		t.Helper()
		res, err := http.Get("http://" + g.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	present := g.gate.current.Load().traces
	g.reload(t, parse(t, yaml))
	if g.gate.current.Load().traces != present {
		t.Error("a reload without a change replaces what sends the traces")
	}
	ask()
	newCert, newKey := ca.Files(dir, "two", ca.Issue("two.test"))
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	g.reload(t, parse(t, yaml))
	if got := <-names; got != "one.test" {
		t.Errorf("client certificate: got %s, want one.test", got)
	}
	ask()
	g.stop()
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	g.ended <- nil // for start
	if got := <-names; got != "two.test" {
		t.Errorf("client certificate after the reload: got %s, want two.test", got)
	}
}
