// Package dualstack connects to a host with an IPv4 and an IPv6 address, by whichever
// works (RFC 8305).
package dualstack

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// delay is the time after which the second address is tried in parallel: the connection
// attempt delay of RFC 8305, section 5.
const delay = 250 * time.Millisecond

// Dial makes a connection, like [net.Dialer.DialContext].
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Host has the addresses of an upstream. It must not be copied after use.
type Host struct {
	Addr  string // host:port or unix:/path
	Other string // the same host and port with an address of the other family; "" = none

	otherFirst atomic.Bool // Other worked last
}

// Connect makes a connection with one of the addresses. It tries the one that worked
// last, and the other one if that has failed or is slow. If both fail, it returns the
// error of Addr with a note on the other.
func (h *Host) Connect(ctx context.Context, dial Dial) (net.Conn, error) {
	if path, ok := strings.CutPrefix(h.Addr, "unix:"); ok {
		return dial(ctx, "unix", path)
	}
	if h.Other == "" {
		return dial(ctx, "tcp", h.Addr)
	}
	return h.race(ctx, dial)
}

// attempt is the result of trying one address.
type attempt struct {
	other bool
	conn  net.Conn
	err   error
}

func (h *Host) race(ctx context.Context, dial Dial) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt, 2)
	try := func(other bool) {
		addr := h.Addr
		if other {
			addr = h.Other
		}
		c, err := dial(ctx, "tcp", addr)
		results <- attempt{other, c, err}
	}
	first := h.otherFirst.Load()
	go try(first)
	wait := delay
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)/2)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var failed *attempt
	running, both := 1, false
	for {
		select {
		case <-timer.C:
		case a := <-results:
			running--
			if a.err == nil {
				h.otherFirst.Store(a.other)
				if running > 0 { // it may have connected, too
					go func() { discard(<-results) }()
				}
				return a.conn, nil
			}
			if failed != nil {
				return nil, h.failure(*failed, a)
			}
			failed = &a
		}
		if !both {
			both, running = true, running+1
			go try(!first)
		}
	}
}

func discard(a attempt) {
	if a.conn != nil {
		a.conn.Close()
	}
}

func (h *Host) failure(a, b attempt) error {
	if a.other {
		a, b = b, a
	}
	return fmt.Errorf("%w; by the other address of the name, too: %v", a.err, b.err)
}
