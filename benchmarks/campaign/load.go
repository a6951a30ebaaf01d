package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// mix is what the requests of a case are: GET but for these.
type mix struct {
	posts   float64 // share of small POST
	uploads float64 // share of large ones, of 1 to 4 MiB, to be answered with 413
	path    string  // where uploads go; "" = nowhere
	files   float64 // share of GETs of a file of 1 MiB
}

const uploadMin, uploadMax = 1 << 20, 4 << 20

// request is what is drawn from a mix.
type request struct {
	method string
	upload int  // its size; 0 = none
	file   bool // the file is asked for
}

// draw returns the next request.
func (m mix) draw(r *rand.Rand) request {
	switch x := r.Float64(); {
	case x < m.uploads:
		return request{method: http.MethodPost, upload: uploadMin + r.IntN(uploadMax-uploadMin)}
	case x < m.uploads+m.posts:
		return request{method: http.MethodPost}
	case x < m.uploads+m.posts+m.files:
		return request{method: http.MethodGet, file: true}
	}
	return request{method: http.MethodGet}
}

// load is an open loop: every request has its moment, whatever became of those
// before it, and its latency counts from that moment. What is on its way is
// bounded by rate times [clientMax].
type load struct {
	at   place
	addr string
	rate int // requests per second
	last time.Duration
	mix  mix
	seed uint64 // of what the requests are
}

// run sends the requests, waits for all answers and returns them, and by how
// much the latest request was late to be sent: then this machine was too busy.
func (l *load) run(ctx context.Context) (answers []answer, lag time.Duration) {
	c := &client{at: l.at, addr: l.addr, want: bodySize}
	defer c.close()
	random := rand.New(rand.NewPCG(l.seed, 0))
	answers = make([]answer, int(l.last.Seconds()*float64(l.rate)))
	began := time.Now()
	var sent sync.WaitGroup
	for i := range answers {
		at := time.Duration(i) * time.Second / time.Duration(l.rate)
		next := l.mix.draw(random)
		wait(ctx, time.Until(began.Add(at)))
		lag = max(lag, time.Since(began.Add(at)))
		sent.Go(func() {
			var failure string
			switch {
			case next.upload > 0:
				failure = c.upload(ctx, l.mix.path, next.upload, i%2 == 0)
			case next.file:
				failure = c.download(ctx)
			default:
				failure = c.do(ctx, next.method, strconv.Itoa(i))
			}
			answers[i] = answer{at: at, failure: failure, latency: time.Since(began.Add(at))}
		})
	}
	sent.Wait()
	return answers, lag
}
