package fleet

import (
	"context"
	"errors"
	"time"
)

// Engine is a store that the instances of a fleet share. Each method returns soon after
// its context ends. An engine may lose everything at any time, and return empty. It is
// safe for concurrent use.
//
// A table holds entries by key. An entry has a revision, which grows with each change of
// its table. As long as the engine's clock does not go back, it also grows across a loss
// of all data.
type Engine interface {
	// Put writes an entry if the present one has the revision in w; otherwise the error
	// is [ErrConflict]. It returns the entry with its revision and time.
	Put(ctx context.Context, table, key string, value []byte, w Write) (Entry, error)
	// Get returns an entry; [ErrNotFound] if there is none.
	Get(ctx context.Context, table, key string) (Entry, error)
	// Delete removes an entry if it has the given revision, which may be [Any]. A missing
	// entry is no error.
	Delete(ctx context.Context, table, key string, revision uint64) error
	// List returns a table. It may omit the entries if the table still has the revision
	// known; 0 = none known.
	List(ctx context.Context, table string, known uint64) (Listing, error)
	// Take takes tokens from leaky buckets, and returns their levels in the order of
	// uses. The engine drops a bucket that has been full for [Remember].
	Take(ctx context.Context, uses []Use) ([]Level, error)
	// Publish sends a message to all watchers, including the sender. A message may be
	// lost.
	Publish(ctx context.Context, topic string, message []byte) error
	// Watch calls ready once it receives messages, and heard for each of them, one after
	// the other. It returns when ctx ends, or with an error if messages may be lost.
	Watch(ctx context.Context, ready func(), heard func(topic string, message []byte)) error
	// Close ends all connections.
	Close() error
}

// Any is the revision of any entry, and of a missing one.
const Any = ^uint64(0)

// Write describes the writing of an entry.
type Write struct {
	// Revision is that of the replaced entry; 0 = there must be none.
	Revision uint64
	// Lease is the lifetime of the entry; 0 = until it is deleted. Writing the same value
	// with [Any] renews the lease without changing a revision.
	Lease time.Duration
}

// Entry is an entry of a table.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	At       time.Time // time of the write, by the engine's clock
}

// Listing is a table at one moment.
type Listing struct {
	Revision uint64 // of the table; changes when an entry changes or expires
	Same     bool   // the table has the known revision; Entries is empty
	Entries  []Entry
	Now      time.Time // by the engine's clock
}

// Use takes tokens from a bucket.
type Use struct {
	Key    string
	Tokens int           // 0 = only return the level
	Every  time.Duration // time in which one token is added; above 0
	Burst  int           // capacity of the bucket, in tokens
	Ago    time.Duration // time since the tokens were taken; not with Exact
	// Exact takes the tokens only if the bucket has them. Otherwise they are already
	// spent: the level may fall below zero, at most to -[MaxDebt] times Burst.
	Exact bool
}

// MaxDebt is the largest debt of a bucket, in bursts. A larger one would exclude a client
// for long that many instances have admitted at the same moment.
const MaxDebt = 4

// Remember is how long an engine remembers that a bucket became full. Instances report
// taken tokens late. Without this memory each report would find the bucket refilled for
// the same period, and a rate would admit more than configured without ever being
// reached.
const Remember = 2 * time.Second

// Level is the content of a bucket.
type Level struct {
	Tokens float64 // available tokens; below 0 = debt
	Taken  bool    // for an exact use: admitted
}

// Errors of an engine that is available.
var (
	ErrConflict = errors.New("the entry has another revision")
	ErrNotFound = errors.New("there is no such entry")

	errHungUp = errors.New("the engine has ended the connection")
)
