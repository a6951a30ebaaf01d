package proxy_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// BenchmarkIdleLimits alternates between a proxy without limits and one with all of them,
// none reached. It reports the cost of the limits in percent and in allocations.
func BenchmarkIdleLimits(b *testing.B) {
	var took [2][]time.Duration
	asks := [2]func(){benchLimits(b, false), benchLimits(b, true)}
	for b.Loop() {
		for i, ask := range asks {
			began := time.Now()
			ask()
			took[i] = append(took[i], time.Since(began))
		}
	}
	b.ReportMetric(testing.AllocsPerRun(500, asks[1])-testing.AllocsPerRun(500, asks[0]), "allocs-more")
	slices.Sort(took[0])
	slices.Sort(took[1])
	n := len(took[0]) / 4 // the lower quartile: the machine's noise only adds time
	b.ReportMetric(100*(float64(took[1][n])/float64(took[0][n])-1), "%more")
}

// benchLimits returns a function that sends a request to a proxy.
func benchLimits(b *testing.B, limited bool) func() {
	rules := balancer.Options{Name: "app", Adaptive: balancer.AdaptiveOptions{Enabled: limited}}
	var options proxy.PoolOptions
	var route proxy.Route
	if limited {
		options.Queue = proxy.Queue{MaxRequests: 1000}
		options.Limits = &proxy.Limits{Requests: 1000}
		route.Limits = &proxy.Limits{MaxBody: 1 << 20, Rates: []*proxy.Rate{
			proxy.NewRate(proxy.Rate{Name: "client", On: proxy.RateByClient(64), PerSecond: 1e9}),
		}}
	}
	pool, err := proxy.NewPool(rules, options)
	if err != nil {
		b.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: rawApp(b)}})
	b.Cleanup(func() { pool.Update(nil) })
	route.Pool = pool
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{route}})
	if err != nil {
		b.Fatal(err)
	}
	addr := inboundServer(b, p)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	buf := make([]byte, 4<<10)
	return func() {
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")); err != nil {
			b.Fatal(err)
		}
		if err := readWhole(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}
