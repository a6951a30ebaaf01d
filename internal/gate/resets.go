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

// resets counts, for one listener, the requests over HTTP/2 or 3 that clients cancel
// right after sending them. Each such request costs an upstream work, and its client
// almost nothing (CVE-2023-44487). resets ends connections on which most requests are of
// this kind. The rule is Envoy's, which ends a connection if more than half of 500
// streams were reset within a second.
//
// Requests that are reset before their handler begins do not count: net/http drops them,
// and ends the connection itself when there are too many. Over HTTP/3 all handlers have
// begun.
type resets struct {
	key       string // of the configuration's limit, for the log
	max       int    // resets on one connection that end it if they exceed half of its requests; 0 = no limit
	log       *slog.Logger
	addResets func(n int)       // counts n more resets; may be nil
	failed    func(kind string) // counts an ended connection; may be nil
}

// resetWithin is the longest duration of a request that counts as reset.
const resetWithin = time.Second

// endedByResets is the kind of failure that resets reports.
const endedByResets = "client_resets"

func (g *Gate) newResets(l config.Listener) *resets {
	r := &resets{key: "http2.max_resets", max: l.HTTP2.MaxResets, log: g.log.With("listener", l.Address)}
	if m := g.opts.Metrics; m != nil {
		r.addResets, r.failed = m.Resets(l.Address), m.HTTP2Failed(l.Address)
	}
	return r
}

// newResets3 returns the counter for a listener's HTTP/3.
func (g *Gate) newResets3(l config.Listener) *resets {
	r := &resets{key: "http3.max_resets", max: l.HTTP3.MaxResets, log: g.log.With("listener", l.Address)}
	if m := g.opts.Metrics; m != nil {
		r.addResets = m.Resets(overUDP(l))
	}
	return r
}

type streamsKey struct{}

// open adds the counter to the context of a connection; it is an
// [http.Server.ConnContext].
func (r *resets) open(ctx context.Context, c net.Conn) context.Context {
	return r.begin(ctx, func() {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn() // closing the tls.Conn would wait for the client to read the alert
		}
		c.Close()
	})
}

// begin returns the context of a new connection. Calling end closes this connection.
func (r *resets) begin(ctx context.Context, end func()) context.Context {
	return context.WithValue(ctx, streamsKey{}, &streams{of: r, end: end})
}

// streams counts the requests on one connection.
//
// When a connection ends, all its requests end too, but these are not resets. So a
// request counts as reset only when another request begins after its end, which proves
// that the connection has survived. fresh counts the requests that ended since mark,
// waiting those that ended before it.
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

// observeResets counts a request after its end.
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

// count returns the number of newly confirmed resets, and whether the connection must
// end.
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
