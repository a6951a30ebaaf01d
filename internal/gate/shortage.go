package gate

import (
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/limit"
	"github.com/goodgate/goodgate/proxy"
)

// shortage logs, at most once a second, that file descriptors are too few to accept a
// connection or to make one.
type shortage struct {
	log  *slog.Logger
	last atomic.Int64 // Unix nanoseconds of the last log line
	full atomic.Bool  // the log has said that clients wait for the sake of upstreams

	crowds crowds
}

// crowds records where clients wait for their connections to be accepted. It is safe for
// concurrent use; the zero value is ready.
type crowds struct {
	mu sync.Mutex // protects at
	at map[string]*fullHouse
}

// remembered is how long crowds reports a wait after its end.
const remembered = 2 * time.Minute

// fullHouse is a listener, or all listeners that share a limit, with as many clients as
// the limit allows.
type fullHouse struct {
	clients, waits int
	since, last    time.Time // beginning of the wait, and its last event
}

// of returns a function to call when an accept begins to wait, and when it no longer
// waits.
func (c *crowds) of(listener string, clients int) func(bool) {
	return func(begins bool) {
		now := time.Now()
		c.mu.Lock()
		defer c.mu.Unlock()
		x := c.at[listener]
		if x == nil {
			if c.at == nil {
				c.at = map[string]*fullHouse{}
			}
			x = &fullHouse{}
			c.at[listener] = x
		}
		x.clients, x.last = clients, now
		switch {
		case !begins:
			x.waits--
		case x.waits == 0:
			x.since = now
			fallthrough
		default:
			x.waits++
		}
	}
}

// list returns the listeners where clients wait, or have waited lately.
func (c *crowds) list() (list []admin.Crowd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.at, func(_ string, x *fullHouse) bool { return x.waits == 0 && time.Since(x.last) > remembered })
	for _, listener := range slices.Sorted(maps.Keys(c.at)) {
		x := c.at[listener]
		list = append(list, admin.Crowd{Listener: listener, Clients: x.clients, Waits: x.waits > 0, Since: x.since, Last: x.last})
	}
	return list
}

// room returns the shared limit on clients of all listeners without their own
// (max_connections). It leaves file descriptors for connections to upstreams: a quarter
// of the limit, or up to half of a small limit. nil = the limit is unknown.
func (s *shortage) room(files uint64) *limit.Room {
	if files == 0 || files > math.MaxInt32 { // there is no limit
		return nil
	}
	n := files - max(files/4, min(files/2, 64))
	note := s.crowds.of("", int(n))
	return limit.NewRoom(int(n), func(begins bool) {
		note(begins)
		if !s.full.Swap(true) {
			s.log.Warn("clients wait to be accepted: upstreams need the remaining file descriptors. Raise the limit (LimitNOFILE= in systemd, ulimit -n), or set listeners[].max_connections",
				"clients", n, "limit", files)
		}
	})
}

// note checks why a connection could not be accepted.
func (s *shortage) note(err error) { s.tell("accepting from a client", err) }

// observe checks why goodgate could not connect to upstreams.
func (s *shortage) observe(r *proxy.Record) {
	if r.Reason != reason.Overloaded {
		return
	}
	for i := range r.Attempts {
		s.tell("connecting to an upstream", r.Attempts[i].Err)
	}
}

func (s *shortage) tell(doing string, err error) {
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return
	}
	now, last := time.Now().UnixNano(), s.last.Load()
	if now-last < int64(time.Second) || !s.last.CompareAndSwap(last, now) {
		return
	}
	s.log.Error("no file descriptor left: clients wait to be accepted, and requests that need a new connection fail. Raise the limit (LimitNOFILE= in systemd, ulimit -n), or set listeners[].max_connections",
		"doing", doing, "limit", maxFiles(), "error", err.Error())
}
