// Package fleet proves that the interface of a fleet's engine is none of Redis: here is one
// in NATS JetStream, which keeps the same laws.
package fleet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/goodgate/goodgate/internal/fleet"
)

// Engine is a fleet's engine in one bucket of a JetStream key-value store. Leases and
// levels of buckets are in the values, as a bucket of the store has one lifetime for all.
type Engine struct {
	conn *nats.Conn
	js   jetstream.JetStream
	kv   jetstream.KeyValue
	name string
}

// Open connects, and makes the bucket if there is none.
func Open(ctx context.Context, url, name string) (*Engine, error) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, History: 1})
	if err != nil {
		return nil, err
	}
	return &Engine{conn: conn, js: js, kv: kv, name: name}, nil
}

// row is a value of the store.
type row struct {
	Value []byte    `json:"value,omitempty"`
	Ends  time.Time `json:"ends,omitzero"`  // of the lease; of a bucket: when it is full
	Turn  uint64    `json:"turn,omitempty"` // the entry's revision, when that is older than the store's
}

// attempts bounds the rounds in which somebody else may be faster.
const attempts = 100

var errBusy = errors.New("others were faster each time")

func safe(table, key string) string {
	return table + "." + base64.RawURLEncoding.EncodeToString([]byte(key))
}

// look returns a row, and its revision in the store; 0 = there is none.
func (e *Engine) look(ctx context.Context, name string) (r row, revision uint64, err error) {
	entry, err := e.kv.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return row{}, 0, nil
	}
	if err != nil {
		return row{}, 0, err
	}
	return r, entry.Revision(), json.Unmarshal(entry.Value(), &r)
}

// write replaces a row; ok is false when somebody else was faster.
func (e *Engine) write(ctx context.Context, name string, r row, revision uint64) (next uint64, ok bool, err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return 0, false, err
	}
	if revision == 0 {
		next, err = e.kv.Create(ctx, name, text)
	} else {
		next, err = e.kv.Update(ctx, name, text, revision)
	}
	var wrong *jetstream.APIError
	if errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &wrong) && wrong.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return 0, false, nil
	}
	return next, err == nil, err
}

func (r row) over(now time.Time) bool { return !r.Ends.IsZero() && !now.Before(r.Ends) }

// turn is the revision of an entry.
func (r row) turn(stored uint64) uint64 {
	if r.Turn != 0 {
		return r.Turn
	}
	return stored
}

// Put is described at [fleet.Engine].
func (e *Engine) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	name := safe(table, key)
	for range attempts {
		now := time.Now()
		old, stored, err := e.look(ctx, name)
		if err != nil {
			return fleet.Entry{}, err
		}
		there := stored != 0 && !old.over(now)
		var current uint64
		if there {
			current = old.turn(stored)
		}
		if w.Revision != fleet.Any && w.Revision != current {
			return fleet.Entry{}, fleet.ErrConflict
		}
		next := row{Value: value}
		if w.Lease > 0 {
			next.Ends = now.Add(w.Lease)
		}
		if there && w.Revision == fleet.Any && string(old.Value) == string(value) {
			next.Turn = current
		}
		revision, ok, err := e.write(ctx, name, next, stored)
		if err != nil {
			return fleet.Entry{}, err
		}
		if ok {
			return fleet.Entry{Key: key, Value: value, Revision: next.turn(revision), At: now}, nil
		}
	}
	return fleet.Entry{}, errBusy
}

// Get is described at [fleet.Engine].
func (e *Engine) Get(ctx context.Context, table, key string) (fleet.Entry, error) {
	now := time.Now()
	r, stored, err := e.look(ctx, safe(table, key))
	if err != nil {
		return fleet.Entry{}, err
	}
	if stored == 0 || r.over(now) {
		return fleet.Entry{}, fleet.ErrNotFound
	}
	return fleet.Entry{Key: key, Value: r.Value, Revision: r.turn(stored), At: now}, nil
}

// Delete is described at [fleet.Engine].
func (e *Engine) Delete(ctx context.Context, table, key string, revision uint64) error {
	name := safe(table, key)
	for range attempts {
		r, stored, err := e.look(ctx, name)
		switch {
		case err != nil:
			return err
		case stored == 0:
			return nil
		case revision != fleet.Any && revision != r.turn(stored):
			return fleet.ErrConflict
		}
		err = e.kv.Delete(ctx, name, jetstream.LastRevision(stored))
		var wrong *jetstream.APIError
		if errors.As(err, &wrong) && wrong.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
			continue
		}
		return err
	}
	return errBusy
}

// List is described at [fleet.Engine]. It reads the whole table each time: leases end
// without a change in the store.
func (e *Engine) List(ctx context.Context, table string, _ uint64) (fleet.Listing, error) {
	now := time.Now()
	l := fleet.Listing{Now: now, Revision: 1}
	w, err := e.kv.Watch(ctx, table+".>")
	if err != nil {
		return l, err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return l, ctx.Err()
		case entry := <-w.Updates():
			if entry == nil {
				return l, nil
			}
			// Deletions count, too; so do leases that have ended.
			l.Revision = max(l.Revision, entry.Revision())
			var r row
			if entry.Operation() != jetstream.KeyValuePut {
				continue
			}
			if err := json.Unmarshal(entry.Value(), &r); err != nil {
				return l, err
			}
			if r.over(now) {
				continue
			}
			key, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(entry.Key(), table+"."))
			if err != nil {
				return l, err
			}
			l.Entries = append(l.Entries, fleet.Entry{Key: string(key), Value: r.Value, Revision: r.turn(entry.Revision()), At: entry.Created()})
		}
	}
}

// Take is described at [fleet.Engine].
func (e *Engine) Take(ctx context.Context, uses []fleet.Use) ([]fleet.Level, error) {
	levels := make([]fleet.Level, len(uses))
	for i, u := range uses {
		var err error
		if levels[i], err = e.take(ctx, u); err != nil {
			return nil, err
		}
	}
	return levels, nil
}

func (e *Engine) take(ctx context.Context, u fleet.Use) (fleet.Level, error) {
	name := safe("buckets", u.Key)
	for range attempts {
		r, stored, err := e.look(ctx, name)
		if err != nil {
			return fleet.Level{}, err
		}
		full, level := u.Apply(r.Ends, time.Now())
		if full.Equal(r.Ends) || u.Tokens == 0 || u.Exact && !level.Taken {
			return level, nil
		}
		_, ok, err := e.write(ctx, name, row{Ends: full}, stored)
		if err != nil || ok {
			return level, err
		}
	}
	return fleet.Level{}, errBusy
}

// Publish is described at [fleet.Engine].
func (e *Engine) Publish(ctx context.Context, topic string, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return e.conn.Publish(e.name+".messages", fmt.Appendf(nil, "%s\n%s", topic, message))
}

// Watch is described at [fleet.Engine].
func (e *Engine) Watch(ctx context.Context, ready func(), heard func(topic string, message []byte)) error {
	messages := make(chan *nats.Msg, 256)
	sub, err := e.conn.ChanSubscribe(e.name+".messages", messages)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	if err := e.conn.FlushTimeout(5 * time.Second); err != nil {
		return err
	}
	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-messages:
			topic, text, _ := strings.Cut(string(m.Data), "\n")
			heard(topic, []byte(text))
		}
	}
}

// Close ends the connection.
func (e *Engine) Close() error {
	e.conn.Close()
	return nil
}
