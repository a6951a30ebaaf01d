package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// mix is the mix of requests in a case. The rest is GET.
type mix struct {
	posts   float64 // share of small POST
	uploads float64 // share of large POST, of 1 to 4 MiB, with the expected answer 413
	path    string  // path of uploads; "" = none
	files   float64 // share of GETs of a file of 1 MiB

	every int     // of this many requests the last one is other; 0 = none
	other request // a slow request
}

const uploadMin, uploadMax = 1 << 20, 4 << 20

// request is a request drawn from a mix.
type request struct {
	method string
	kind   kind
	upload int           // size of an upload with the expected answer 413
	takes  time.Duration // duration of the request itself, which is no delay
}

// draw returns request i.
func (m mix) draw(i int, r *rand.Rand) request {
	x := r.Float64()
	switch {
	case m.every > 0 && (i+1)%m.every == 0:
		return m.other
	case x < m.uploads:
		return request{method: http.MethodPost, kind: rejected, upload: uploadMin + r.IntN(uploadMax-uploadMin)}
	case x < m.uploads+m.posts:
		return request{method: http.MethodPost}
	case x < m.uploads+m.posts+m.files:
		return request{method: http.MethodGet, kind: aFile}
	}
	return request{method: http.MethodGet}
}

// pace determines when requests are sent.
type pace struct {
	rate  int           // requests per second
	burst int           // number of requests at once; 0 = one
	first time.Duration // time of the first request
	last  time.Duration // end of the load
	pause span          // time without requests
}

// span is a time span, since the load began.
type span struct{ from, to time.Duration }

// or replaces zero fields.
func (p pace) or(rate int, last time.Duration) pace {
	p.rate, p.last = cmp.Or(p.rate, rate), cmp.Or(p.last, last)
	return p
}

// moments returns the due time of each request, since the load began.
func (p pace) moments() (all []time.Duration) {
	burst := max(p.burst, 1)
	for i := 0; ; i++ {
		at := p.first + time.Duration(i/burst*burst)*time.Second/time.Duration(p.rate)
		if at >= p.last {
			return all
		}
		if at < p.pause.from || at >= p.pause.to {
			all = append(all, at)
		}
	}
}

// load is an open loop: every request has its due time, independent of earlier ones,
// and its latency counts from that time. The requests in flight are bounded by rate
// times [clientMax].
type load struct {
	at       place
	addr     string
	pace     pace
	patience time.Duration // timeout of one request; 0 = clientMax
	mix      mix
	seed     uint64 // seed for the kinds of requests
	ledger   *ledger
}

// run sends the requests, waits for all answers and returns them. lag is the largest
// delay of sending: a large one means that this machine was too busy.
func (l *load) run(ctx context.Context) (answers []answer, lag time.Duration) {
	c := &client{at: l.at, addr: l.addr, want: bodySize, patience: l.patience}
	defer c.close()
	random := rand.New(rand.NewPCG(l.seed, 0))
	moments := l.pace.moments()
	answers = make([]answer, len(moments))
	began := time.Now()
	var sent sync.WaitGroup
	for i, at := range moments {
		next := l.mix.draw(i, random)
		wait(ctx, time.Until(began.Add(at)))
		lag = max(lag, time.Since(began.Add(at)))
		id := strconv.Itoa(i)
		l.ledger.sends(id, next.takes > 0)
		sent.Go(func() {
			failure := c.send(ctx, next, id, l.mix.path)
			latency := max(0, time.Since(began.Add(at))-next.takes)
			answers[i] = answer{at: at, method: next.method, failure: failure, latency: latency}
		})
	}
	sent.Wait()
	return answers, lag
}

// send sends a request of a mix; path is for uploads to reject.
func (c *client) send(ctx context.Context, r request, id, path string) (failure string) {
	switch r.kind {
	case rejected:
		return c.upload(ctx, path, r.upload, r.upload%2 == 0)
	case aFile:
		return c.download(ctx)
	case answered:
		return c.ask(ctx, r.method, longTarget(answered, r.takes), id)
	case events:
		return c.follow(ctx, r.takes, id)
	case socket:
		return c.converse(ctx, r.takes, id)
	case delivered:
		return c.deliver(ctx, r.takes, id)
	}
	return c.ask(ctx, r.method, workPath, id)
}
