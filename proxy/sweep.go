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

// errDrained is the error of a stream that goodgate has ended before its upstream did.
var errDrained = errors.New("the upstream was drained, or goodgate went away")

// leavesForGood reports whether an upstream gets no more requests, by an order of the
// operator or by its source.
func leavesForGood(u *balancer.Upstream) bool {
	return u.Removed() || u.Operator() != balancer.Ready || u.Lifecycle() == balancer.Terminating
}

// Sweep ends the upgraded connections and streams of upstreams that have been drained for
// at least bound. It measures that time from the first call that sees the drain, so call
// it every second.
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

// EndStreams ends all event streams (text/event-stream) and gRPC calls as their protocol
// specifies, and returns their number. Clients see a complete response. A gRPC call gets
// the status UNAVAILABLE, so that the client calls again.
func (p *Proxy) EndStreams() int {
	p.tunnels.mu.Lock()
	open := slices.Collect(maps.Keys(p.tunnels.streams))
	p.tunnels.mu.Unlock()
	for _, b := range open {
		b.leave()
	}
	return len(open)
}

// EndLeavingTunnels ends the WebSockets over HTTP/2 and HTTP/3 whose listener is leaving,
// with a Close frame, and returns their number. They cannot outlive the listener's
// connections.
func (p *Proxy) EndLeavingTunnels() int {
	p.tunnels.mu.Lock()
	open := slices.Collect(maps.Keys(p.tunnels.set))
	p.tunnels.mu.Unlock()
	open = slices.DeleteFunc(open, func(t *tunnel) bool { return t.door == nil || !t.door.Load() })
	for _, t := range open {
		t.leave()
	}
	return len(open)
}

// enlist adds the stream to those that end with their upstream.
func (b *leasedBody) enlist() {
	if _, ok := b.ReadCloser.(*collected); ok {
		return // it must not be closed during a read
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

// leave makes the current or the next Read return the end of the stream.
func (b *leasedBody) leave() {
	b.left.Store(true)
	b.ReadCloser.Close()
}

// endEarly ends a stream in the way of its protocol. A gRPC call gets a status that makes
// the client call again.
func (b *leasedBody) endEarly() {
	if b.x.grpc {
		b.a.res.SetTrailer("Grpc-Status", strconv.Itoa(grpcUnavailable))
		b.a.res.SetTrailer("Grpc-Message", b.x.grpcMessage(reason.ShuttingDown))
	}
	b.x.record.Err = errDrained
	b.end()
}
