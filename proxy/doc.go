// Package proxy carries requests from clients to upstreams, and hides from clients every
// failure of an upstream that can be hidden safely. A [Proxy] is an [net/http.Handler].
//
// To put one in front of applications, make a [Pool] of them, have its upstreams checked,
// and give it to a [Route]:
//
//	pool, err := proxy.NewPool(balancer.DefaultOptions("app"), proxy.DefaultPoolOptions())
//	checker := health.NewChecker(health.DefaultOptions())
//	checker.Follow(pool.Pool)
//	go checker.Run(ctx)
//	pool.Update([]balancer.Spec{{Addr: "127.0.0.1:3001"}, {Addr: "127.0.0.1:3002"}})
//
//	options := proxy.DefaultOptions()
//	options.Routes = []proxy.Route{{Pool: pool}}
//	p, err := proxy.New(options)
//	err = p.ListenAndServe(ctx, "127.0.0.1:8080")
//
// Begin with [DefaultPoolOptions] and [DefaultOptions], which are the defaults of the
// configuration file, and change what you need otherwise. The zero values of the options
// are a plain proxy, which retries nothing and waits for nobody.
//
// Common tasks:
//
//   - other upstreams: [github.com/goodgate/goodgate/balancer.Pool.Update], at any time. Upstreams that stay keep their
//     state, and a checker that follows the pool probes the new ones.
//   - other settings while requests run: [Pool.With], [Proxy.With] and [Pool.Adopt]. A
//     Proxy is immutable: swap the one that your server calls.
//   - which requests go where: [Match] in a [Route]; the first route that matches takes it.
//   - headers, paths, redirects, fixed answers: the other fields of [Route].
//   - limits on clients: [Limits], of a listener, a route or a pool.
//   - a log, metrics, traces: [Options.Observe] is told of every request with all its attempts
//     ([Record]); [Log] writes it with log/slog. [Options.Trace] joins traces.
//   - why a request failed: [Record] has a word of package reason.
//   - an end in order: [Proxy.ListenAndServe], or with a server of your own [Proxy.Drain],
//     [net/http.Server.Shutdown] and [Proxy.ShutdownTunnels].
//
// Everything is safe for concurrent use unless it says otherwise. How the package works
// inside is in ARCHITECTURE.md.
package proxy
