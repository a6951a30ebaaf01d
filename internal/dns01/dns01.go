// Package dns01 publishes the TXT records by which a certificate authority verifies a
// domain (DNS-01, RFC 8555 section 8.4): by dynamic updates of a zone (RFC 2136, signed by
// TSIG, RFC 8945), or by a program.
//
// update.go and tsig.go are the dynamic update, exec.go the program, lookup.go finds out
// where a record belongs and whether the zone's servers show it, message.go is one
// exchange with a name server.
package dns01

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	removeWithin = 10 * time.Minute // longest time for the removal of a record
	leaveWithin  = 10 * time.Second // for a removal when the process ends
)

// Options select how records are published. One of Update and Exec must be set.
type Options struct {
	Update      *Update
	Exec        *Exec
	Wait        time.Duration // longest time until all Servers show a record; 0 = no check
	Servers     []string      // host:port of servers that must show a record; empty = those of its zone
	Resolvers   []string      // host:port; empty = the system's
	FollowCNAME bool          // publish at the target of a CNAME record
	Log         *slog.Logger
}

// Publisher publishes records. It is safe for concurrent use.
type Publisher struct {
	opts     Options
	provider provider
	lookup   *lookup
	poll     time.Duration // between two questions for a record

	mu    sync.Mutex               // protects turns
	turns map[string]chan struct{} // by name, one element while a program works there
}

// provider changes the records of a zone.
type provider interface {
	present(ctx context.Context, r record) error
	remove(ctx context.Context, r record) error
	// serial means that a name can have only one record at a time.
	serial() bool
}

// record is one TXT record.
type record struct {
	domain string // that the authority verifies, for example example.com
	name   string // of the record, with a dot at its end
	value  string
}

// New returns a publisher. It contacts no server.
func New(o Options) (*Publisher, error) {
	p := &Publisher{opts: o, poll: pollEvery, turns: map[string]chan struct{}{}}
	var err error
	if p.lookup, err = newLookup(o.Resolvers); err != nil {
		return nil, err
	}
	switch {
	case o.Update != nil:
		p.provider, err = newUpdater(*o.Update)
	case o.Exec != nil:
		p.provider, err = newRunner(*o.Exec, o.Log)
	default:
		err = errors.New("dns: neither rfc2136 nor exec")
	}
	return p, err
}

// Patience returns how long Publish may take in addition to the time for an order.
func (p *Publisher) Patience() time.Duration {
	d := p.opts.Wait
	if p.opts.Exec != nil {
		d += 2 * p.opts.Exec.Timeout
	}
	return d
}

// Publish creates the record of a domain, and returns once the zone's name servers show
// it. The caller must call remove when the authority has seen the record; the end of ctx
// does not prevent the removal. After an error there is nothing left to remove.
func (p *Publisher) Publish(ctx context.Context, domain, value string) (remove func(), err error) {
	r := record{domain: domain, name: "_acme-challenge." + domain + ".", value: value}
	if p.opts.FollowCNAME {
		if r.name, err = p.lookup.target(ctx, r.name); err != nil {
			return nil, err
		}
	}
	leave, err := p.enter(ctx, r.name)
	if err != nil {
		return nil, err
	}
	if err = p.provider.present(ctx, r); err == nil && p.opts.Wait > 0 {
		err = p.await(ctx, r)
	}
	if err != nil { // the server may have applied an update without an answer
		p.remove(ctx, r, slog.LevelDebug)
		leave()
		return nil, err
	}
	return func() {
		p.remove(ctx, r, slog.LevelWarn)
		leave()
	}, nil
}

// remove removes a record. When ctx ends, the process may be ending: then there is less
// time.
func (p *Publisher) remove(ctx context.Context, r record, level slog.Level) {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeWithin)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		late := time.NewTimer(leaveWithin)
		defer late.Stop()
		select {
		case <-late.C:
			cancel()
		case <-bound.Done():
		}
	})()
	if err := p.provider.remove(bound, r); err != nil {
		p.opts.Log.Log(bound, level, "challenge record not removed", "record", r.name, "error", err.Error())
	}
}

// enter waits until no other order uses a name, if the provider needs that.
func (p *Publisher) enter(ctx context.Context, name string) (leave func(), err error) {
	if !p.provider.serial() {
		return func() {}, nil
	}
	p.mu.Lock()
	turn := p.turns[name]
	if turn == nil {
		turn = make(chan struct{}, 1)
		p.turns[name] = turn
	}
	p.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("another order uses the record %s: %w", name, ctx.Err())
	}
}

// Error is a failure with an advice for the operator.
type Error struct {
	Why, Do string
	Err     error // nil = none
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Why
	}
	return e.Why + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Explain returns the failure in plain words, and the operator's next step.
func (e *Error) Explain() (why, do string) { return e.Why, e.Do }
