//go:build !minimal

package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// link keeps connections to the server with the fleet's keys.
type link struct {
	o      Options
	pool   *redis.Pool
	asked  atomic.Uint64          // number of commands
	failed atomic.Int64           // Unix nanoseconds: connections last used before this time are not reused
	node   atomic.Pointer[string] // cluster node with the keys; nil = unknown
}

const (
	maxConns = 8 // besides the one for Watch
	// redirects is how often a command follows a cluster's redirection to another node.
	redirects = 3
)

func (l *link) init(o Options) {
	l.o = o
	l.pool = &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) { return l.dial(ctx) },
		MaxIdle:     maxConns, MaxActive: maxConns, Wait: true, IdleTimeout: time.Minute,
		TestOnBorrow: func(_ redis.Conn, used time.Time) error {
			if used.UnixNano() < l.failed.Load() {
				return errStale
			}
			return nil
		},
	}
}

var (
	errStale    = errors.New("a connection of before the last failure")
	errNoMaster = errors.New("no sentinel knows a primary")
)

// failure wraps an error of the store.
func failure(err error) error { return fmt.Errorf("the store: %w", err) }

// refused reports whether the server has refused a command with one of the codes, which
// are the first words of errors (RESP, simple errors).
func refused(err error, codes ...string) bool {
	e, ok := errors.AsType[redis.Error](err)
	for _, code := range codes {
		if ok && strings.HasPrefix(string(e), code+" ") {
			return true
		}
	}
	return false
}

// do sends a command and returns its answer.
func (l *link) do(ctx context.Context, command string, args ...any) (out any, err error) {
	for range redirects {
		if out, err = l.once(ctx, command, args...); err == nil {
			return out, nil
		}
		switch {
		case refused(err, "MOVED"):
			l.turnTo(err)
			continue
		case refused(err, "ASK"):
			return l.ask(ctx, err, command, args...)
		case !refused(err, "NOSCRIPT"):
			l.node.Store(nil)
		}
		break
	}
	return nil, failure(err)
}

// once sends a command to the server that probably has the keys.
func (l *link) once(ctx context.Context, command string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := l.pool.GetContext(ctx)
	if err != nil {
		l.failed.Store(time.Now().UnixNano())
		return nil, err
	}
	defer c.Close()
	out, err := l.call(ctx, c, command, args...)
	if err != nil && (c.Err() != nil || refused(err, "READONLY", "MASTERDOWN")) {
		l.failed.Store(time.Now().UnixNano())
	}
	return out, err
}

func (l *link) call(ctx context.Context, c redis.Conn, command string, args ...any) (any, error) {
	l.asked.Add(1)
	wait := l.o.Timeout
	if end, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(end)), time.Millisecond)
	}
	return redis.DoWithTimeout(c, wait, command, args...)
}

// turnTo follows the cluster's redirection to the node with the keys: "MOVED slot
// host:port".
func (l *link) turnTo(err error) {
	if node := target(err); node != "" {
		l.node.Store(&node)
	}
	l.failed.Store(time.Now().UnixNano())
}

// target returns the node in a redirection.
func target(err error) string {
	e, _ := errors.AsType[redis.Error](err)
	words := strings.Fields(string(e))
	if len(words) != 3 {
		return ""
	}
	return words[2]
}

// ask sends a command to a node that is importing the keys.
func (l *link) ask(ctx context.Context, moved error, command string, args ...any) (any, error) {
	c, err := l.dialNode(ctx, target(moved))
	if err != nil {
		return nil, failure(err)
	}
	defer c.Close()
	if _, err := l.call(ctx, c, "ASKING"); err != nil {
		return nil, failure(err)
	}
	out, err := l.call(ctx, c, command, args...)
	if err != nil {
		return nil, failure(err)
	}
	return out, nil
}

// dial connects to the server with the keys.
func (l *link) dial(ctx context.Context) (redis.Conn, error) {
	if l.o.Master != "" {
		return l.dialMaster(ctx)
	}
	if node := l.node.Load(); node != nil {
		return l.dialNode(ctx, *node)
	}
	var errs []error
	for _, address := range l.o.Addresses {
		c, err := l.dialNode(ctx, address)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// dialMaster asks the sentinels for the primary, and then asks that server for its role,
// because a sentinel may be out of date.
func (l *link) dialMaster(ctx context.Context) (redis.Conn, error) {
	var errs []error
	for _, sentinel := range l.o.Addresses {
		address, err := l.askSentinel(ctx, sentinel)
		if err != nil {
			errs = append(errs, fmt.Errorf("sentinel %s: %w", sentinel, err))
			continue
		}
		c, err := l.dialNode(ctx, address)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		role, err := redis.Values(l.call(ctx, c, "ROLE"))
		if err == nil && len(role) > 0 && text(role[0]) == "master" {
			return c, nil
		}
		c.Close()
		errs = append(errs, fmt.Errorf("%s, which sentinel %s names, is no primary (%w)", address, sentinel, errors.Join(err, errNoMaster)))
	}
	return nil, errors.Join(errs...)
}

func (l *link) askSentinel(ctx context.Context, sentinel string) (string, error) {
	c, err := l.connect(ctx, sentinel, redis.DialUsername(l.o.SentinelUsername), redis.DialPassword(l.o.SentinelPassword))
	if err != nil {
		return "", err
	}
	defer c.Close()
	at, err := redis.Strings(l.call(ctx, c, "SENTINEL", "get-master-addr-by-name", l.o.Master))
	switch {
	case errors.Is(err, redis.ErrNil):
		return "", fmt.Errorf("%w of the name %s", errNoMaster, l.o.Master)
	case err != nil:
		return "", err
	case len(at) != 2:
		return "", errReply
	}
	return net.JoinHostPort(at[0], at[1]), nil
}

func (l *link) dialNode(ctx context.Context, address string) (redis.Conn, error) {
	return l.connect(ctx, address, redis.DialUsername(l.o.Username), redis.DialPassword(l.o.Password), redis.DialDatabase(l.o.Database))
}

func (l *link) connect(ctx context.Context, address string, more ...redis.DialOption) (redis.Conn, error) {
	options := append(more, redis.DialConnectTimeout(l.o.Timeout), redis.DialReadTimeout(l.o.Timeout), redis.DialWriteTimeout(l.o.Timeout))
	if l.o.TLS != nil {
		options = append(options, redis.DialUseTLS(true), redis.DialTLSConfig(l.o.TLS.Clone()), redis.DialTLSHandshakeTimeout(l.o.Timeout))
	}
	return redis.DialContext(ctx, "tcp", address, options...)
}
