package fleet

import (
	"context"
	"errors"
	"time"
)

// Engine is a store that the instances of a fleet share. Each method returns soon after
// its context ends. An engine may lose everything at any time, and come back empty. It
// is safe for concurrent use.
//
// A table holds entries by their keys. An entry has a revision, which grows with each
// change of its table; as long as the engine's clock does not go back, it grows also
// when the engine has lost everything in between.
type Engine interface {
	// Put writes an entry if the one that is there has the revision that w wants, else
	// the error is [ErrConflict]. It returns the entry with its revision and time.
	Put(ctx context.Context, table, key string, value []byte, w Write) (Entry, error)
	// Get returns an entry; [ErrNotFound] if there is none.
	Get(ctx context.Context, table, key string) (Entry, error)
	// Delete removes an entry if it has the given revision, which may be [Any]. That it
	// is not there is no error.
	Delete(ctx context.Context, table, key string, revision uint64) error
	// List returns a table. It may leave out the entries when the table's revision is
	// still the one that the caller knows; 0 = none.
	List(ctx context.Context, table string, known uint64) (Listing, error)
	// Take takes tokens from leaky buckets, which the engine forgets when they have been
	// full for [Remember], and returns their levels in the order of uses.
	Take(ctx context.Context, uses []Use) ([]Level, error)
	// Publish sends a message to all who watch, the sender included. It may be lost.
	Publish(ctx context.Context, topic string, message []byte) error
	// Watch calls ready once messages are heard, and heard for each of them, one after
	// the other. It returns when ctx ends, or with an error when messages may be lost.
	Watch(ctx context.Context, ready func(), heard func(topic string, message []byte)) error
	// Close ends all connections.
	Close() error
}

// Any is the revision of whatever is there, also of nothing.
const Any = ^uint64(0)

// Write says how an entry is written.
type Write struct {
	// Revision of the entry that is replaced; 0 = there must be none.
	Revision uint64
	// Lease is how long the entry stays; 0 = until it is deleted. Writing the value that
	// is there already with [Any] renews the lease and changes no revision.
	Lease time.Duration
}

// Entry is an entry of a table.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	At       time.Time // when it was written, by the engine's clock
}

// Listing is a table at a moment.
type Listing struct {
	Revision uint64 // of the table; it changes when an entry does, or ends
	Same     bool   // the table is as the caller knows it; Entries is empty
	Entries  []Entry
	Now      time.Time // by the engine's clock
}

// Use is what is taken from a bucket.
type Use struct {
	Key    string
	Tokens int           // 0 = only look
	Every  time.Duration // a token leaks in every so often; more than 0
	Burst  int           // tokens that the bucket holds
	Ago    time.Duration // when the tokens were taken; not with Exact
	// Exact takes the tokens only if the bucket has them. Otherwise they have been spent
	// already: the level falls below zero, to -[MaxDebt] times Burst at most.
	Exact bool
}

// MaxDebt is how many bursts too much are taken off later. More would keep a client out
// for long that many instances let in at the same moment.
const MaxDebt = 4

// Remember is how long an engine remembers when a bucket was full. Instances report late
// what they took: without that, the same time would refill the bucket once for each of
// them, and a rate would let in more than it says without ever being reached.
const Remember = 2 * time.Second

// Level is what is in a bucket.
type Level struct {
	Tokens float64 // that may be taken; less than 0 = so many too many were
	Taken  bool    // of an exact use: it was let in
}

// What can be wrong besides the engine being away.
var (
	ErrConflict = errors.New("the entry has another revision")
	ErrNotFound = errors.New("there is no such entry")

	errHungUp = errors.New("the engine has ended the connection")
)
