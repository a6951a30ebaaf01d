package proxy

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/reason"
)

// errDrained is why a stream has ended before its upstream ended it.
var errDrained = errors.New("the upstream was drained, or goodgate went away")

// leavesForGood reports whether an upstream gets no more requests, because an operator
// or the place where it was found says so.
func leavesForGood(u *balancer.Upstream) bool {
	return u.Removed() || u.Operator() != balancer.Ready || u.Lifecycle() == balancer.Terminating
}

// Sweep ends the upgraded connections and streams of upstreams that have been drained
// for as long as bound, as far as former calls have seen them; call it every second.
func (p *Proxy) Sweep(now time.Time, bound time.Duration) {
	ts := p.tunnels
	ts.mu.Lock()
	var over []*tunnel
	for t := range ts.set {
		if isOver(t.from, &t.since, now, bound) {
			over = append(over, t)
		}
	}
	var ended []*leasedBody
	for b := range ts.streams {
		if isOver(b.a.m.Upstream, &b.since, now, bound) {
			ended = append(ended, b)
		}
	}
	ts.mu.Unlock()
	for _, t := range over {
		t.leave()
	}
	for _, b := range ended {
		b.leave()
	}
}

func isOver(u *balancer.Upstream, since *time.Time, now time.Time, bound time.Duration) bool {
	switch {
	case !leavesForGood(u):
		*since = time.Time{}
		return false
	case since.IsZero():
		*since = now
	}
	return now.Sub(*since) >= bound
}

// EndStreams ends all answers that are streams, as their upstreams would. It returns
// how many there were.
func (p *Proxy) EndStreams() int {
	p.tunnels.mu.Lock()
	open := slices.Collect(maps.Keys(p.tunnels.streams))
	p.tunnels.mu.Unlock()
	for _, b := range open {
		b.leave()
	}
	return len(open)
}

// enlist has the stream end with its upstream.
func (b *leasedBody) enlist() {
	if _, ok := b.ReadCloser.(*collected); ok {
		return // it may not be closed while it is read
	}
	ts := b.x.proxy.tunnels
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.streams == nil {
		ts.streams = map[*leasedBody]struct{}{}
	}
	ts.streams[b] = struct{}{}
	b.listed = true
}

func (b *leasedBody) delist() {
	if !b.listed {
		return
	}
	ts := b.x.proxy.tunnels
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.streams, b)
}

// leave makes the present Read, or the next, find the stream's end.
func (b *leasedBody) leave() {
	b.left.Store(true)
	b.ReadCloser.Close()
}

// endEarly gives a stream that is to end the end that its protocol has: a call of gRPC
// a status, which tells the client to call again.
func (b *leasedBody) endEarly() {
	if b.x.grpc {
		b.a.res.SetTrailer("Grpc-Status", strconv.Itoa(grpcUnavailable))
		b.a.res.SetTrailer("Grpc-Message", b.x.grpcMessage(reason.ShuttingDown))
	}
	b.x.record.Err = errDrained
	b.end()
}
