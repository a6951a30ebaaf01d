// Package proxy is the way of a request through goodgate: an [http.Handler]
// around [httputil.ReverseProxy].
//
// A request takes these steps, each in a file of its own:
//
//	proxy.go     accept: (*Proxy).ServeHTTP opens an exchange
//	trust.go, client.go, spelling.go  what is believed, of whom, under which names; who the client is
//	refuse.go    what is malformed though a server lets it pass
//	route.go, path.go  route: the first match wins, else no_route
//	rewrite.go   rewrite: path, Host, X-Forwarded-*, Forwarded, Via, X-Request-Id
//	attempt.go   attempt: the loop below httputil; pick, acquire, send, and go
//	             round again while retry.go says that it is safe
//	hedge.go     ask a second upstream when the first is slow
//	hold.go      wait for an upstream when none is available
//	try.go, transport.go  exchange: one try on one upstream
//	proxyproto.go  an upstream that is told of the client by the PROXY protocol
//	commit.go    a small response is complete before the client sees a byte
//	resume.go    a large one that breaks off goes on from another upstream
//	rungs.go     what is answered when no upstream of the pool could; fallback.go, stale.go
//	classify.go  what went wrong, decided where the bytes are
//	prefetch.go  a small request body comes whole before an upstream is asked
//	body.go, trailer.go, response.go  the request's body, replayable, and its trailer; the response's, leased
//	page.go, status.go    what the client sees of a failure
//	linger.go    a client that still sends is not cut off from its answer
//	record.go    account: one record a request, with every attempt in it; recordjson.go writes its line
//
// A [Proxy] is immutable: it is the snapshot that a reload replaces. Its pools
// are live; see package balancer. Both may be used without any configuration
// file:
//
//	pool, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{})
//	pool.Update([]balancer.Spec{{Addr: "127.0.0.1:3000"}})
//	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Pool: pool}}})
//	http.ListenAndServe(":8080", p)
package proxy
