//go:build !minimal

package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/goodgate/goodgate/internal/fleet"
)

// Present reports whether this build has the engine.
const Present = true

// Engine is a fleet's engine in Redis or Valkey. Use [Open].
type Engine struct {
	link    link
	channel string
	keys    string // prefix of all keys
}

const (
	defaultTimeout = 500 * time.Millisecond
	// batch bounds the buckets in one script, so that it does not delay other commands.
	batch = 256
)

// Open returns an engine, which connects at its first use. A fleet's keys have its name
// as their hash tag, so that a cluster keeps all of them on one shard.
func Open(o Options) (fleet.Engine, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("a store needs an address")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	tag := o.Prefix + "{" + o.Name + "}"
	e := &Engine{channel: tag, keys: tag + ":"}
	e.link.init(o)
	return e, nil
}

// Commands returns the number of commands sent so far.
func (e *Engine) Commands() uint64 { return e.link.asked.Load() }

// Close ends all connections.
func (e *Engine) Close() error { return e.link.pool.Close() }

func (e *Engine) table(name string) []string {
	k := e.keys + name
	return []string{k, k + ":ends", k + ":revision"}
}

// run runs a script by its hash, or by its text if the server does not know it yet.
func (e *Engine) run(ctx context.Context, s script, keys []string, args ...any) (any, error) {
	all := make([]any, 0, 2+len(keys)+len(args))
	all = append(all, s.hash, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	all = append(all, args...)
	out, err := e.link.do(ctx, "EVALSHA", all...)
	if refused(err, "NOSCRIPT") {
		all[0] = s.text
		out, err = e.link.do(ctx, "EVAL", all...)
	}
	return out, err
}

// revisionArg returns a revision in the form of the scripts.
func revisionArg(r uint64) any {
	if r == fleet.Any {
		return -1
	}
	return strconv.FormatUint(r, 10)
}

var errReply = errors.New("the store: an answer that no script of goodgate gives")

// Put implements [fleet.Engine].
func (e *Engine) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	lease := w.Lease.Milliseconds()
	if w.Lease > 0 && lease == 0 {
		lease = 1
	}
	out, err := e.run(ctx, put, e.table(table), key, value, revisionArg(w.Revision), lease)
	if err != nil {
		return fleet.Entry{}, err
	}
	row, ok := out.([]any)
	if !ok || len(row) != 3 {
		return fleet.Entry{}, errReply
	}
	if row[0] == int64(0) {
		return fleet.Entry{}, fleet.ErrConflict
	}
	return fleet.Entry{Key: key, Value: value, Revision: number(text(row[1])), At: moment(text(row[2]))}, nil
}

// Get implements [fleet.Engine].
func (e *Engine) Get(ctx context.Context, table, key string) (fleet.Entry, error) {
	out, err := e.run(ctx, get, e.table(table), key)
	switch {
	case err != nil:
		return fleet.Entry{}, err
	case out == nil:
		return fleet.Entry{}, fleet.ErrNotFound
	}
	return entry(key, text(out))
}

// Delete implements [fleet.Engine].
func (e *Engine) Delete(ctx context.Context, table, key string, revision uint64) error {
	out, err := e.run(ctx, remove, e.table(table), key, revisionArg(revision))
	switch {
	case err != nil:
		return err
	case out == int64(0):
		return fleet.ErrConflict
	}
	return nil
}

// List implements [fleet.Engine].
func (e *Engine) List(ctx context.Context, table string, known uint64) (fleet.Listing, error) {
	out, err := e.run(ctx, list, e.table(table), strconv.FormatUint(known, 10))
	if err != nil {
		return fleet.Listing{}, err
	}
	row, ok := out.([]any)
	if !ok || len(row) < 3 || len(row)%2 != 1 {
		return fleet.Listing{}, errReply
	}
	l := fleet.Listing{Revision: number(text(row[0])), Now: moment(text(row[1])), Same: text(row[2]) == "same"}
	for i := 3; i < len(row); i += 2 {
		one, err := entry(text(row[i]), text(row[i+1]))
		if err != nil {
			return fleet.Listing{}, err
		}
		l.Entries = append(l.Entries, one)
	}
	return l, nil
}

// entry parses an entry written by put.
func entry(key, text string) (fleet.Entry, error) {
	revision, rest, ok := strings.Cut(text, ":")
	at, value, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 {
		return fleet.Entry{}, errReply
	}
	return fleet.Entry{Key: key, Value: []byte(value), Revision: number(revision), At: moment(at)}, nil
}

// text returns a string in an answer; empty if it is none.
func text(v any) string {
	b, _ := v.([]byte)
	return string(b)
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

func moment(s string) time.Time { return time.UnixMilli(int64(number(s))) }

// Take implements [fleet.Engine].
func (e *Engine) Take(ctx context.Context, uses []fleet.Use) ([]fleet.Level, error) {
	levels := make([]fleet.Level, 0, len(uses))
	for len(uses) > 0 {
		n := min(len(uses), batch)
		keys, args := make([]string, n), make([]any, 0, 5*n)
		for i, u := range uses[:n] {
			keys[i] = e.keys + "b:" + u.Key
			args = append(args, u.Tokens, strconv.FormatFloat(float64(u.Every)/float64(time.Microsecond), 'f', -1, 64), u.Burst, u.Exact, u.Ago.Microseconds())
		}
		uses = uses[n:]
		out, err := e.run(ctx, take, keys, args...)
		if err != nil {
			return nil, err
		}
		row, ok := out.([]any)
		if !ok || len(row) != 2*n {
			return nil, errReply
		}
		for i := 0; i < len(row); i += 2 {
			level, _ := row[i].(int64)
			levels = append(levels, fleet.Level{Tokens: float64(level) / 1000, Taken: row[i+1] == int64(1)})
		}
	}
	return levels, nil
}

// Publish implements [fleet.Engine].
func (e *Engine) Publish(ctx context.Context, topic string, message []byte) error {
	_, err := e.link.do(ctx, "PUBLISH", e.channel, topic+"\n"+string(message))
	return err
}

// listenFor is the silence of Watch's connection after which the server is pinged.
const listenFor = 2 * time.Second

// Watch implements [fleet.Engine].
func (e *Engine) Watch(ctx context.Context, ready func(), heard func(topic string, message []byte)) error {
	c, err := e.link.dial(ctx)
	if err != nil {
		return failure(err)
	}
	sub := redis.PubSubConn{Conn: c}
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	if err := sub.Subscribe(e.channel); err != nil {
		return failure(err)
	}
	var asking sync.WaitGroup
	over := make(chan struct{})
	defer func() {
		close(over)
		asking.Wait()
	}()
	asking.Go(func() {
		pause := time.NewTicker(listenFor)
		defer pause.Stop()
		for {
			select {
			case <-pause.C:
				if sub.Ping("") != nil {
					return
				}
			case <-over:
				return
			}
		}
	})
	for {
		switch got := sub.ReceiveWithTimeout(listenFor * 2).(type) {
		case error:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return failure(got)
		case redis.Subscription:
			ready()
		case redis.Message:
			topic, message, _ := strings.Cut(string(got.Data), "\n")
			heard(topic, []byte(message))
		}
	}
}
