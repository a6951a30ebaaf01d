package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"

	"github.com/goodgate/goodgate/internal/metrics"
)

// TestMirror: the other pool gets the clients' requests, reloads keep the results, and
// an application that hangs does not delay the end.
func TestMirror(t *testing.T) {
	hanging := make(chan struct{}, 1)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			hanging <- struct{}{}
			<-r.Context().Done()
			return
		}
		fmt.Fprintf(w, "v1 %s", r.URL.Path)
	}))
	t.Cleanup(other.Close)
	yaml := fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
admin: {address: "localhost:0"}
shutdown: {lame_duck: 0s}
pools: {v1: {upstreams: [%q]}, v2: {upstreams: [%q]}}
routes: [{name: shop, pool: v1, mirror: {pool: v2, timeout: 10m}}]`, app(t, "v1"), other.URL)
	r := start(t, parse(t, yaml), Options{Metrics: metrics.New(metrics.Build{})})
	found := func(want string) {
		t.Helper()
		text := func() string {
			m := r.gate.mirrorReports()[0]
			return fmt.Sprintf("%s: %d sent, %d same, %d different, %d running", m.Route, m.Sent, m.Same, m.Different, m.Running)
		}
		eventually(t, "what the mirror finds", func() bool { return text() == want }, text)
	}
	known := func() bool { // a mirror does not wait for the first check
		return !slices.ContainsFunc(r.gate.Pools(), func(p *proxy.Pool) bool { return p.Members()[0].Health() != balancer.Up })
	}
	eventually(t, "the first checks", known, func() string { return "" })
	if got := get(t, "http://"+r.addrs[0]+"/x"); got != "200 v1 /x" {
		t.Errorf("got %q", got)
	}
	found("shop: 1 sent, 1 same, 0 different, 0 running")
	if text := get(t, "http://"+r.gate.AdminAddress()+"/metrics"); !strings.Contains(text, `goodgate_mirror_requests_total{pool="v2",result="same",route="shop"} 1`) {
		t.Error("no metric of the mirror")
	}
	r.reload(t, parse(t, strings.Replace(yaml, "{name: shop,", "{name: shop, timeout: 5s,", 1)))
	found("shop: 1 sent, 1 same, 0 different, 0 running")
	get(t, "http://"+r.addrs[0]+"/hang")
	<-hanging
	found("shop: 1 sent, 1 same, 0 different, 1 running")
	r.reload(t, parse(t, strings.Replace(yaml, "timeout: 10m", "timeout: 5m", 1))) // ends it, and starts again
	found("shop: 0 sent, 0 same, 0 different, 0 running")
	get(t, "http://"+r.addrs[0]+"/hang")
	<-hanging
	found("shop: 0 sent, 0 same, 0 different, 1 running") // and the end of the test waits for the gate
}
