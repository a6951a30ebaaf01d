package demo

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	// loadSeconds times the rate bounds the requests in flight, above the hold limit of
	// the demo's pool.
	loadSeconds = 15
	// lateBy is the delay after which a request counts as sent late: the machine, or
	// the limit on requests in flight, has held the load back.
	lateBy = 100 * time.Millisecond
)

// load is an open loop: every request has its due time, independent of earlier ones,
// and its latency counts from that time.
type load struct {
	client *client
	stats  *stats
	rate   int                      // requests per second
	posts  func(time.Duration) bool // reports whether to send POSTs at a time since start
	random *rand.Rand
}

// run sends requests until ctx ends. Then it waits for the answers to those in flight
// until abort ends.
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

// method draws a method. Four of five are GET. A PUT replaces a POST when the script
// allows none.
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

// waitUntil waits for a time, and returns false if ctx ended first.
func waitUntil(ctx context.Context, t time.Time) bool {
	wait(ctx, nil, time.Until(t))
	return ctx.Err() == nil
}
