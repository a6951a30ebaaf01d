package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// load is an open loop: every request has its moment, whatever became of those
// before it, and its latency counts from that moment. What is on its way is
// bounded by rate times [clientMax].
type load struct {
	addr  string
	rate  int // requests per second
	last  time.Duration
	posts float64 // share of POST; the others are GET
	seed  uint64  // of which requests are POST
}

// run sends the requests, waits for all answers and returns them.
func (l *load) run(ctx context.Context) []answer {
	c := &client{addr: l.addr}
	defer c.close()
	random := rand.New(rand.NewPCG(l.seed, 0))
	answers := make([]answer, int(l.last.Seconds()*float64(l.rate)))
	began := time.Now()
	var sent sync.WaitGroup
	for i := range answers {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
		method := http.MethodGet
		if random.Float64() < l.posts {
			method = http.MethodPost
		}
		wait(ctx, time.Until(due))
		sent.Go(func() {
			failure := c.do(ctx, method, strconv.Itoa(i))
			answers[i] = answer{failure: failure, latency: time.Since(due)}
		})
	}
	sent.Wait()
	return answers
}
