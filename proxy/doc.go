// Package proxy forwards requests from clients to upstreams. It hides upstream failures
// from the client whenever that is safe: it retries, hedges, waits for an upstream, or
// answers with an older response. A [Proxy] is a [net/http.Handler].
//
// To put a proxy in front of an application, create a [Pool], start a health checker for
// it, add upstreams, and use the pool in a [Route]:
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
// Start with [DefaultPoolOptions] and [DefaultOptions]. They return the defaults of the
// configuration file. Change the fields that you need. The zero values of the options make
// a plain proxy: it retries nothing, and no request waits.
//
// Common tasks:
//
//   - Change the upstreams: call [github.com/goodgate/goodgate/balancer.Pool.Update] at any
//     time. Upstreams that stay keep their state. A checker that follows the pool probes
//     new ones.
//   - Change settings while requests run: use [Pool.With], [Proxy.With] and [Pool.Adopt].
//     [Proxy.With] returns a new Proxy; make your server use it.
//   - Choose the route of a request: set [Route.Match]. The first route that matches wins.
//   - Edit headers and paths, redirect, or send fixed answers: use the other fields of
//     [Route].
//   - Limit clients: use [Limits] on a listener, a route or a pool.
//   - Log, measure and trace: [Options.Observe] gets a [Record] of every request, with all
//     its attempts. [Log] writes it with log/slog. [Options.Trace] joins traces.
//   - Find out why a request failed: Reason in its [Record] names the cause, in the words
//     of package reason.
//   - Shut down gracefully: end the context of [Proxy.ListenAndServe]. With your own server,
//     call [Proxy.Drain], [net/http.Server.Shutdown] and [Proxy.ShutdownTunnels].
//
// A request takes these steps. The Proxy removes fields that the client may not set, finds
// the route, and checks the limits of the listener, the route and the pool. It sends the
// request to an upstream of the pool. If that fails, it decides whether to try another
// upstream, wait, use an older response or the fallback, or give up. It passes the answer
// on, and gives a [Record] of all this to the observers. All steps run on the goroutine
// that calls the Proxy, except a hedge and a request body that streams to an upstream.
//
// All functions and methods are safe for concurrent use unless their documentation says
// otherwise. ARCHITECTURE.md describes the inside of the package and lists its files.
package proxy
