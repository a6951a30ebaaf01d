package gate

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// resets counts, of one listener, the requests over HTTP/2 or 3 that clients cancel
// as soon as they have sent them, and ends the connections on which that is
// most of what happens: each such request costs an upstream work, and its
// client next to nothing. (CVE-2023-44487; the rule is Envoy's, which ends a
// connection of which more than half of 500 streams were reset within a second.)
//
// Those that are reset before their handler begins are none of these: net/http
// drops them, and ends the connection by itself when there are too many. Over
// HTTP/3 all have begun.
type resets struct {
	key       string // of the configuration, which bounds them
	max       int    // on one connection, while they are more than half of it; 0 = no bound
	log       *slog.Logger
	addResets func(n int)       // of so many more; may be nil
	failed    func(kind string) // told that a connection was ended; may be nil
}

// resetWithin is how soon after its start a request that ends counts as reset.
const resetWithin = time.Second

// endedByResets is the kind of failure that resets tell.
const endedByResets = "client_resets"

func (g *Gate) newResets(l config.Listener) *resets {
	r := &resets{key: "http2.max_resets", max: l.HTTP2.MaxResets, log: g.log.With("listener", l.Address)}
	if m := g.opts.Metrics; m != nil {
		r.addResets, r.failed = m.Resets(l.Address), m.HTTP2Failed(l.Address)
	}
	return r
}

// newResets3 returns the same for HTTP/3.
func (g *Gate) newResets3(l config.Listener) *resets {
	r := &resets{key: "http3.max_resets", max: l.HTTP3.MaxResets, log: g.log.With("listener", l.Address)}
	if m := g.opts.Metrics; m != nil {
		r.addResets = m.Resets(overUDP(l))
	}
	return r
}

type streamsKey struct{}

// open is a listener's [http.Server.ConnContext].
func (r *resets) open(ctx context.Context, c net.Conn) context.Context {
	return r.begin(ctx, func() {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn() // else it waits for the client to take its goodbye
		}
		c.Close()
	})
}

// begin returns the context of a connection that end ends.
func (r *resets) begin(ctx context.Context, end func()) context.Context {
	return context.WithValue(ctx, streamsKey{}, &streams{of: r, end: end})
}

// streams is what is known of the requests on one connection.
//
// A connection that ends takes all its requests along, which is no reset. So a
// request counts as reset once another one has begun since it ended: the
// connection has lived on. fresh are those that ended since mark, waiting those
// before it.
type streams struct {
	of  *resets
	end func()

	mu       sync.Mutex // protects the fields below
	requests int
	reset    int
	waiting  int
	fresh    int
	mark     time.Time
	ended    bool
}

// observeResets takes a request's account.
func observeResets(r *proxy.Record) {
	if r.Request.ProtoMajor < 2 {
		return
	}
	if s, ok := r.Request.Context().Value(streamsKey{}).(*streams); ok {
		s.observe(r)
	}
}

func (s *streams) observe(r *proxy.Record) {
	counted, end := s.count(r)
	if counted > 0 && s.of.addResets != nil {
		s.of.addResets(counted)
	}
	if !end {
		return
	}
	s.of.log.Warn("connection closed: its client cancels most of its requests",
		"client", r.Client.String(), "setting", s.of.key, "max_resets", s.of.max)
	if s.of.failed != nil {
		s.of.failed(endedByResets)
	}
	s.end()
}

// count returns how many more are known to have been reset, and whether the
// connection is to end for it.
func (s *streams) count(r *proxy.Record) (counted int, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if r.Start.After(s.mark) {
		counted = s.waiting
		s.reset += counted
		s.waiting, s.fresh = s.fresh, 0
		s.mark = r.Start.Add(r.Duration)
	}
	if r.Reason == reason.ClientGone && r.Duration < resetWithin {
		s.fresh++
	}
	end = !s.ended && s.of.max > 0 && s.reset >= s.of.max && 2*s.reset > s.requests
	s.ended = s.ended || end
	return counted, end
}
