package admin

import (
	"cmp"
	"sync"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

const (
	pastSeconds = 60                   // of a pool, one by one
	pieces      = 6                    // an upstream's last minute is kept in these
	pieceLength = pastSeconds / pieces // seconds
	goneAfter   = 600                  // seconds until an upstream that nobody asks is forgotten
)

// Tally counts what became of requests: by pool since the start and second by
// second, by upstream for the last minute. Unlike the metrics it needs nobody to
// collect it. It is safe for concurrent use; the zero value is ready.
type Tally struct {
	mu        sync.Mutex // protects the fields below
	pools     map[string]*poolTally
	upstreams map[balancer.Key]*upstreamTally
	pruned    int64
}

type poolTally struct {
	requests uint64
	escaped  map[reason.Reason]uint64
	refused  map[reason.Reason]uint64 // and other failures that are not the upstreams'
	absorbed map[means]uint64
	past     [pastSeconds]second
	last     int64 // second
}

type means struct {
	by  reason.Means
	why reason.Reason
}

// second is what ended in one.
type second struct {
	at                                   int64 // Unix time; another = nothing is known of it
	requests, escaped, absorbed, refused uint32
	overloaded, queued                   uint32
	queue                                time.Duration // waited by those that queued
	took                                 histogram
}

// upstreamTally is what attempts on an upstream came to.
type upstreamTally struct {
	past   [pieces]piece
	last   int64 // second
	status int   // of the latest answer that was a failure
}

type piece struct {
	at               int64 // number of the piece since 1970
	attempts, failed uint32
	answered         uint32
	took             time.Duration // until the response headers of those answered
	reasons          map[reason.Reason]uint32
}

// Observe is a proxy's observer.
func (t *Tally) Observe(r *proxy.Record) {
	t.observe(r, r.Start.Add(r.Duration).Unix())
}

func (t *Tally) observe(r *proxy.Record, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pools == nil {
		t.pools, t.upstreams = map[string]*poolTally{}, map[balancer.Key]*upstreamTally{}
	}
	if r.Pool != "" {
		p := t.pools[r.Pool]
		if p == nil {
			p = &poolTally{escaped: map[reason.Reason]uint64{}, refused: map[reason.Reason]uint64{}, absorbed: map[means]uint64{}}
			t.pools[r.Pool] = p
		}
		p.count(r, now)
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		k := balancer.Key{Pool: cmp.Or(a.Pool, r.Pool), Addr: a.Upstream}
		u := t.upstreams[k]
		if u == nil {
			u = &upstreamTally{}
			t.upstreams[k] = u
		}
		u.count(a, now)
	}
	if now-t.pruned > pastSeconds {
		t.pruned = now
		t.prune(now)
	}
}

// prune forgets what nothing has been heard of for long. Called with mu held.
func (t *Tally) prune(now int64) {
	for k, u := range t.upstreams {
		if now-u.last > goneAfter {
			delete(t.upstreams, k)
		}
	}
}

func (p *poolTally) count(r *proxy.Record, now int64) {
	p.last = now
	s := &p.past[now%pastSeconds]
	if s.at != now {
		*s = second{at: now}
	}
	p.requests++
	s.requests++
	switch {
	case r.Escaped():
		p.escaped[r.Reason]++
		s.escaped++
	case r.Reason != reason.None:
		p.refused[r.Reason]++
		s.refused++
	}
	if r.Reason == reason.Overloaded {
		s.overloaded++
	}
	if r.Absorbed != reason.ByNothing {
		p.absorbed[means{r.Absorbed, r.Hidden}]++
		s.absorbed++
	}
	if r.Queued > 0 {
		s.queued++
		s.queue += r.Queued
	}
	s.took.add(r.Duration)
}

func (u *upstreamTally) count(a *proxy.Attempt, now int64) {
	u.last = now
	at := now / pieceLength
	s := &u.past[at%pieces]
	if s.at != at {
		*s = piece{at: at}
	}
	s.attempts++
	if a.Status != 0 {
		s.answered++
		s.took += a.Took
	}
	if a.Reason.Fault() != reason.FaultUpstream {
		return
	}
	s.failed++
	if s.reasons == nil {
		s.reasons = map[reason.Reason]uint32{}
	}
	s.reasons[a.Reason]++
	if a.Status != 0 {
		u.status = a.Status
	}
}
