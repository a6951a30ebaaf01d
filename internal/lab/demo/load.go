package demo

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	// loadSeconds of requests may be on their way: more than the hold of the
	// demo's pool can keep.
	loadSeconds = 15
	// lateBy is how long after its time a request counts as sent late: then the
	// machine, or the bound on requests in flight, held the load back.
	lateBy = 100 * time.Millisecond
)

// load is an open loop: every request has its time, whatever became of those
// before it, and its latency counts from that time.
type load struct {
	client *client
	stats  *stats
	rate   int                      // requests per second
	posts  func(time.Duration) bool // whether POSTs are sent at a time since start
	random *rand.Rand
}

// run sends requests until ctx ends, and then waits for the answers of those
// on their way until abort ends.
func (l *load) run(ctx, abort context.Context, start time.Time) {
	defer l.client.close()
	var sent sync.WaitGroup
	defer sent.Wait()
	places := make(chan struct{}, l.rate*loadSeconds)
	for number := uint64(0); ; number++ {
		due := start.Add(time.Duration(number) * time.Second / time.Duration(l.rate))
		if !waitUntil(ctx, due) {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		late := time.Since(due) > lateBy
		method := l.method(time.Since(start))
		l.stats.sent(late)
		sent.Go(func() {
			defer func() { <-places }()
			status, _ := l.client.do(abort, method, number)
			if status == 0 && abort.Err() != nil {
				l.stats.abandoned()
				return
			}
			l.stats.answered(status, time.Since(due))
		})
	}
}

// method draws a method: four of five are GET. Where POSTs are not sent, a PUT
// takes their place.
func (l *load) method(since time.Duration) string {
	switch l.random.IntN(15) {
	case 0:
		return http.MethodPut
	case 1:
		return http.MethodDelete
	case 2:
		if l.posts(since) {
			return http.MethodPost
		}
		return http.MethodPut
	}
	return http.MethodGet
}

// waitUntil waits for a moment and returns false if ctx ended first.
func waitUntil(ctx context.Context, t time.Time) bool {
	wait(ctx, nil, time.Until(t))
	return ctx.Err() == nil
}
