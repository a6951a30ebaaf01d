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

// shortage tells, once a second at most, that there are too few file descriptors
// to accept a connection or to make one.
type shortage struct {
	log  *slog.Logger
	last atomic.Int64 // Unix nanoseconds of when it was last told
	full atomic.Bool  // it was told that clients wait, so that descriptors are left

	crowds crowds
}

// crowds is where clients wait to be accepted. It is safe for concurrent use; the zero
// value is ready.
type crowds struct {
	mu sync.Mutex // protects at
	at map[string]*fullHouse
}

// remembered is how long it is told that clients had to wait.
const remembered = 2 * time.Minute

// fullHouse is a listener, or all that share their room, that has as many clients as it may.
type fullHouse struct {
	clients, waits int
	since, last    time.Time // when a wait began, and when it was last seen
}

// of returns what is to be told that an accept waits, and no longer does.
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

// list returns those where clients wait, or have lately.
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

// room returns how many clients may be connected by the listeners that do not say
// it themselves (max_connections), so that enough file descriptors are left to
// connect to upstreams: three quarters of the limit, and of a small one half. nil
// = it is not known.
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

// note looks at why a connection could not be accepted.
func (s *shortage) note(err error) { s.tell("accepting from a client", err) }

// observe looks at why upstreams could not be connected to.
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
