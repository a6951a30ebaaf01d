// Package proxy carries requests from clients to upstreams: an [http.Handler] with
// routes, limits, retries and an account of every request.
//
// An exchange is the client's side of one request, from its head to its record. A
// delivery sends the request to the upstreams of one pool until there is an answer
// to give or a reason to stop, and knows nothing of the client. A relay joins the two:
// the plain one where client and upstream speak HTTP/1, httputil's everywhere else.
//
// Where to find what, by group, in the order of a request:
//
//	The client's side
//	proxy.go        Proxy and its options; serve takes a request from accept to account,
//	                admit finds its route and lets it in
//	request.go      Request, which routes, rules and observers see
//	exchange.go     the exchange: opens it, orders the delivery, takes its answer, ends it
//	room.go         reuses the memory of plain requests
//	trust.go        drops the fields that are not believed
//	client.go       who the client is
//	spelling.go     field names that applications cannot tell apart
//	refuse.go       malformed requests that a server lets pass
//	path.go         paths that can be read in several ways
//	match.go        which requests a route takes
//	matchvalue.go   by values of headers, parameters and cookies
//	route.go        routes: redirects, fixed responses, header edits
//	limits.go       rates, requests at once, size of the body
//	maxforwards.go  how far OPTIONS goes
//	prefetch.go     reads a small body before an upstream is asked
//	body.go         the client's body, which can be sent again
//	writer.go       the client's response: common fields, bytes, write deadlines
//	interim.go      informational responses
//	status.go       answers requests that get no upstream's answer
//	page.go         error pages
//	linger.go       lets a client that still sends read its answer
//
//	The relays
//	plain.go        the plain relay: heads stay as they came
//	httputil.go     the relay by httputil.ReverseProxy, and all that works around it
//	forwarded.go    X-Forwarded-*, Forwarded, Via, X-Request-Id
//	loop.go         Goodgate-Passed, by which a request that comes back is known
//	rewrite.go      the path that goes upstream; no upgrade to HTTP/2
//	rewrites.go     where answers lead: Location, Refresh; a path by a regular expression
//	rewritecookie.go  the Domain, Path and flags of cookies
//	variables.go    variables in the fields that a route sets, in redirects and fixed answers
//	trailer.go      trailers, both ways
//	response.go     an answer's body, which holds the upstream's lease
//	pass.go         moves large bodies from socket to socket
//	tunnel.go       upgraded connections
//	tunnelcount.go  their account
//
//	Delivery
//	delivery.go     the attempt loop: acquire, send, account, go round again
//	queue.go        a place among the requests that the pool's upstreams may have at once
//	decide.go       decide: the whole rule of when a request is sent again
//	outgoing.go     the request as it goes to one upstream
//	attempt.go      one sending of the request to one upstream
//	hedge.go        asks another upstream while the first is slow
//	evidence.go     what says that an upstream, and not the request, is slow
//	lateness.go     whether an upstream's requests are late, one after another
//	race.go         a request on its way to several upstreams
//	quantile.go     how slow that is
//	hold.go         waits for an upstream when none is available
//	classify.go     the reason for a failure
//	commit.go       collects an answer before the client sees a byte of it
//	resume.go       fetches the rest of an answer that broke off
//	drain.go        upstreams that say that they are about to end
//	lastresort.go   what a request gets that could not be delivered
//	stale.go        an older response instead
//	fallback.go     another pool, or a fixed response, instead
//
//	Endpoints
//	endpoint.go     how one upstream is reached: connects
//	endpointref.go  replaces an endpoint when the pool's options change
//	protocol.go     which transport speaks to an upstream
//	either.go       HTTP/2 or HTTP/1.1, as the upstream chooses
//	proxyproto.go   the PROXY protocol towards upstreams
//	refusals.go     upstreams that do nothing but refuse streams
//	dial_linux.go   bounds how long sent bytes may go unacknowledged
//	dial_other.go   the same elsewhere: not at all
//
//	Rules of a pool
//	pool.go         Pool and its options
//	budget.go       bounds retries to a share of the requests
//	ratekey.go      what a rate counts by
//	hashon.go       what the policy hash balances on
//	sticky.go       the cookie that keeps a client on its upstream
//	grpc.go         deadlines and statuses of gRPC
//
//	Account
//	error.go        Error: a failure and its reason
//	record.go       Record: a request with its attempts; its line in the log
//	recordjson.go   the same line as JSON
//	absorbed.go     what was hidden from the client, and how
//	savedby.go      which setting would have saved a request that failed
//	trace.go        what a tracer is told
//	doc.go          this map
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
