package gate

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/metrics"
)

// TestMetrics: the gate counts requests, connections, changes of upstreams, and exports
// the state of its pools.
func TestMetrics(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer app.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := nobody.Addr().String()
	nobody.Close()
	cfg, _, err := config.Sidecar([]string{"127.0.0.1:0"}, []string{app.URL, "http://" + gone}, config.Admin{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Shutdown.LameDuck = 0
	cfg.Admin.Address = "unix:" + filepath.Join(t.TempDir(), "admin")
	m := metrics.New(metrics.Build{})
	g, err := New(cfg, Options{Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	ready := make(chan string, 1)
	wg.Go(func() {
		if err := g.Run(ctx, nil, func(addrs []string) { ready <- addrs[0] }); err != nil {
			t.Error(err)
			close(ready)
		}
	})
	defer wg.Wait()
	defer stop()
	addr := <-ready
	for range 4 {
		res, err := http.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	stop()
	wg.Wait()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	got := w.Body.String()
	for _, want := range []string{
		`goodgate_requests_total{code="200",method="GET",pool="app",route="default"} 4`,
		`goodgate_pool_upstreams{pool="app"} 2`,
		`goodgate_client_connections_accepted_total{listener="127.0.0.1:0"}`,
		`goodgate_upstream_available{pool="app",upstream="` + gone + `"} 0`,
		`goodgate_upstream_transitions_total{pool="app",to="available",upstream="` + strings.TrimPrefix(app.URL, "http://") + `"} 1`,
		`goodgate_config_last_reload_successful 1`,
		`goodgate_config_info{hash="` + fingerprint(cfg) + `"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
