package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is a steady stream of requests that does not wait for answers (an open
// loop), from a client that never repeats one.
type load struct {
	address   func() string // called for each new connection
	rate      int           // requests a second
	methods   []string      // in turn
	keepAlive bool
}

// maxInFlight bounds the requests of a load in flight, maxRequests all of them.
const (
	maxInFlight = 400
	maxRequests = 10_000
)

// mixed is 60 % GET, 20 % PUT, 10 % DELETE and 10 % POST; safe leaves POST out.
var (
	mixed = []string{"GET", "PUT", "GET", "POST", "GET", "DELETE", "GET", "PUT", "GET", "GET"}
	safe  = []string{"GET", "PUT", "GET", "DELETE", "GET"}
)

// result is the result of one request for the client.
type result struct {
	method string
	path   string
	status int
	app    string // that answered
	id     string // the X-Request-Id of the answer
	reason string // the Proxy-Status of the answer
	close  bool   // the answer said Connection: close
	err    error
}

func (r result) failed() bool { return r.err != nil || r.status != http.StatusOK }

func (r result) String() string {
	if r.err != nil {
		return fmt.Sprintf("%s %s: %v", r.method, r.path, r.err)
	}
	return fmt.Sprintf("%s %s: status %d from %q, %s, id %s", r.method, r.path, r.status, r.app, r.reason, r.id)
}

// running is a load in progress.
type running struct {
	t      *testing.T
	load   load
	stop   context.CancelFunc
	ended  chan struct{}
	flight atomic.Int64

	mu      sync.Mutex // protects the fields below
	results []result
	idle    []*conn // the one unused for the longest time first
}

// fixed is the address of a load that always goes to the same place.
func fixed(address string) func() string { return func() string { return address } }

func startLoad(t *testing.T, l load) *running {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 4*bound)
	r := &running{t: t, load: l, stop: stop, ended: make(chan struct{})}
	go r.run(ctx)
	t.Cleanup(func() { r.finish() })
	return r
}

func (r *running) run(ctx context.Context) {
	defer close(r.ended)
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(time.Second / time.Duration(r.load.rate))
	defer tick.Stop()
	for n := range maxRequests {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		method := r.load.methods[n%len(r.load.methods)]
		path := fmt.Sprintf("/load/%d", n)
		if r.flight.Load() >= maxInFlight {
			r.add(result{method: method, path: path, err: errors.New("too many requests are under way")})
			continue
		}
		r.flight.Add(1)
		wg.Go(func() {
			defer r.flight.Add(-1)
			r.add(r.send(method, path))
		})
	}
}

func (r *running) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, one)
}

// send does one request and checks that the answer is its own.
func (r *running) send(method, path string) result {
	one := result{method: method, path: path}
	c, err := r.take()
	if err != nil {
		one.err = err
		return one
	}
	body := ""
	if method == "PUT" || method == "POST" {
		body = "body of " + path
	}
	req, err := http.NewRequest(method, "http://gate.test"+path, strings.NewReader(body))
	if err != nil {
		one.err = err
		return one
	}
	req.Close = !r.load.keepAlive
	a, err := c.do(req)
	if err != nil {
		c.Close()
		one.err = err
		return one
	}
	one.status, one.app, one.close = a.StatusCode, a.Header.Get("X-App"), a.Close
	one.id, one.reason = a.Header.Get("X-Request-Id"), a.Header.Get("Proxy-Status")
	if one.status == http.StatusOK {
		var e echo
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Method != method || e.Target != path || e.Body != body {
			one.err = fmt.Errorf("got the answer %q (%v)", a.body, err)
		}
	}
	r.give(c, a)
	return one
}

// take returns the connection with the longest idle time, so that all are used and
// learn of a drain.
func (r *running) take() (*conn, error) {
	r.mu.Lock()
	if len(r.idle) > 0 {
		c := r.idle[0]
		r.idle = r.idle[1:]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	return dial(r.load.address())
}

func (r *running) give(c *conn, a *answer) {
	if a.Close || !r.load.keepAlive {
		c.Close()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, c)
}

// answered returns the results so far.
func (r *running) answered() []result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[:len(r.results):len(r.results)]
}

// more waits until n more requests have been answered.
func (r *running) more(n int) {
	r.t.Helper()
	want := len(r.answered()) + n
	waitFor(r.t, fmt.Sprintf("%d more answers", n), func() bool { return len(r.answered()) >= want })
}

// until waits for an answer that matches, from now on.
func (r *running) until(what string, match func(result) bool) {
	r.t.Helper()
	seen := len(r.answered())
	waitFor(r.t, what, func() bool {
		for _, one := range r.answered()[seen:] {
			seen++
			if match(one) {
				return true
			}
		}
		return false
	})
}

// finish ends the load and returns the results of all requests.
func (r *running) finish() []result {
	r.stop()
	<-r.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.idle {
		c.Close()
	}
	r.idle = nil
	return r.results
}

// wantNoneFailed checks the promise: no request failed that could have been hidden. A
// POST that a server may have begun to execute cannot be sent again; goodgate must then
// log that.
func wantNoneFailed(t *testing.T, g *gate, results []result) {
	t.Helper()
	failed, honest := 0, 0
	for _, one := range results {
		switch {
		case !one.failed():
		case one.method == "POST" && one.id != "" && notSafe(g.request(one.id)):
			honest++
		default:
			if failed++; failed <= 10 {
				t.Errorf("failed: %v", one)
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d requests failed, want none", failed, len(results))
	}
	t.Logf("%d requests, %d failed; %d POSTs on a server that died could not be sent again", len(results), failed, honest)
}

// wantAllAnswered is the promise while no server dies: no request fails at all.
func wantAllAnswered(t *testing.T, results []result) {
	t.Helper()
	failed := 0
	for _, one := range results {
		if !one.failed() {
			continue
		}
		if failed++; failed <= 10 {
			t.Errorf("failed: %v", one)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d requests failed, want none", failed, len(results))
	}
	t.Logf("%d requests, %d failed; answers by app: %v", len(results), failed, servedBy(results))
}

func notSafe(e entry) bool {
	n := len(e.Attempts)
	return n > 0 && e.Attempts[n-1].Decision == "not_safe"
}

// absorbed returns the number of requests that were answered well after an
// attempt that failed, or after waiting for an upstream.
func absorbed(g *gate) int {
	n := 0
	for _, e := range g.log() {
		if e.Msg == "request" && e.Status == http.StatusOK && (len(e.Attempts) > 1 || e.HeldMS > 0) {
			n++
		}
	}
	return n
}

// servedBy returns how many requests each app has answered.
func servedBy(results []result) map[string]int {
	n := map[string]int{}
	for _, one := range results {
		n[one.app]++
	}
	return n
}
