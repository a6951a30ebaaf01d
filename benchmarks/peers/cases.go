package main

import (
	"crypto/tls"
	"slices"
	"time"
)

// workload is a closed loop that runs against every proxy in turn.
type workload struct {
	name, title string
	upstreams   int
	tls         bool
	run         func(addr string, clients int, each time.Duration) (result, error)
}

// The numbers of upstreams behind the proxy in workloads.
const (
	few  = 4
	many = 1000
)

func workloads() []workload {
	ask := func(r request) func(string, int, time.Duration) (result, error) {
		return func(addr string, clients int, each time.Duration) (result, error) {
			return closed(clients, each, func() (client, error) { return openPlain(addr, r) })
		}
	}
	small := newRequest("/", 0, false)
	secure := small
	secure.tls = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}} // on loopback, with a certificate for this run
	return []workload{
		{name: "get1k", title: "GET 1 kB", upstreams: few, run: ask(small)},
		{name: "get100k", title: "GET 100 kB", upstreams: few, run: ask(newRequest("/100k", 0, false))},
		{name: "get1m", title: "GET 1 MB", upstreams: few, run: ask(newRequest("/1m", 0, false))},
		{name: "post10k", title: "POST 10 kB", upstreams: few, run: ask(newRequest("/", 10<<10, false))},
		{name: "newconn", title: "GET 1 kB, new connection each", upstreams: few, run: ask(newRequest("/", 0, true))},
		{name: "tls", title: "GET 1 kB by TLS", upstreams: few, tls: true, run: ask(secure)},
		{name: "http2", title: "GET 1 kB by HTTP/2 over TLS", upstreams: few, tls: true, run: func(addr string, clients int, each time.Duration) (result, error) {
			open, stop := newH2(addr, max(clients/8, 1))
			defer stop()
			return closed(clients, each, open)
		}},
		{name: "websocket", title: "WebSocket echo of 1 kB", upstreams: few, run: func(addr string, clients int, each time.Duration) (result, error) {
			return closed(clients, each, func() (client, error) { return openEcho(addr) })
		}},
		{name: "one", title: "GET 1 kB, 1 upstream", upstreams: 1, run: ask(small)},
		{name: "many", title: "GET 1 kB, 1,000 upstreams", upstreams: many, run: ask(small)},
	}
}

// The other cases.
const (
	caseKnee   = "knee"   // p99 at 70 % of nginx's highest rate
	caseStart  = "start"  // duration of a start, and resident memory after it
	caseIdle   = "idle"   // memory per idle client
	caseAllocs = "allocs" // allocations per plain GET
	caseChecks = "checks" // upstreams checked every second
	casePick   = "pick"   // picking one of 10,000 upstreams
)

func caseNames() (names []string) {
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return append(names, caseKnee, caseStart, caseIdle, caseAllocs, caseChecks, casePick)
}

// wants reports whether a case was requested.
func (o *options) wants(name string) bool {
	return o.cases == "" || slices.Contains(splitList(o.cases), name)
}
