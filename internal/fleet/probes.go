package fleet

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Probes shares the work of checking upstreams. [Checkers] of the members that take part
// check each upstream, and publish their results. These are advice. It is safe for
// concurrent use.
type Probes struct {
	fleet *Fleet
	heard func([]Found)
	every atomic.Int64  // nanoseconds between two messages
	soon  chan struct{} // a result to publish at once

	mu   sync.Mutex // protects found
	mine map[uint64]*found
}

// Checkers is the number of members that check each upstream. The second one matters if
// the first one has ended, or has a bad network.
const Checkers = 2

// Found is a member's result for a checked upstream.
type Found struct {
	Key    uint64
	Passed bool
	News   bool // the previous check had another result
}

// found is a result of this member.
type found struct {
	Found
	at, told time.Time // time of the check, and of the last message about it
	interval time.Duration
}

const (
	topicProbes = "probes"
	// newsGap collects simultaneous changes into one message.
	newsGap = 10 * time.Millisecond
	// mostFound bounds the results in a message, of foundBytes each.
	mostFound  = 2000
	foundBytes = 9
)

// NewProbes makes the members share their results. heard gets each message of another
// member, one after the other. It must be called before Run.
func (f *Fleet) NewProbes(heard func([]Found)) *Probes {
	p := &Probes{fleet: f, heard: heard, soon: make(chan struct{}, 1), mine: map[uint64]*found{}}
	p.SetEvery(time.Second)
	f.probes = p
	f.Hear(topicProbes, p.take)
	return p
}

// SetEvery sets the interval for publishing unchanged results.
func (p *Probes) SetEvery(d time.Duration) { p.every.Store(int64(d)) }

// SetTakesPart sets whether this member checks for the others.
func (p *Probes) SetTakesPart(yes bool) { p.fleet.change(func(m *Member) { m.Probes = yes }) }

// Tell publishes the result of a check: at once if it differs from the previous check,
// otherwise with the next message. The check repeats after interval. It ignores f.News.
// It does not wait.
func (p *Probes) Tell(f Found, interval time.Duration) {
	p.mu.Lock()
	last := p.mine[f.Key]
	news := last != nil && last.Passed != f.Passed || last == nil && !f.Passed
	if last == nil {
		last = &found{}
		p.mine[f.Key] = last
	}
	last.News = news || last.News && last.told.Before(last.at) // not published yet
	last.Key, last.Passed, last.at, last.interval = f.Key, f.Passed, time.Now(), interval
	p.mu.Unlock()
	if news {
		select {
		case p.soon <- struct{}{}:
		default:
		}
	}
}

// run sends messages.
func (p *Probes) run(ctx context.Context) {
	timer := time.NewTimer(time.Duration(p.every.Load()))
	defer timer.Stop()
	for {
		all := true
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(time.Duration(p.every.Load()))
		case <-p.soon:
			all = false
			gap := time.NewTimer(newsGap)
			select {
			case <-gap.C:
			case <-ctx.Done():
			}
			gap.Stop()
		}
		for list := range slices.Chunk(p.due(all, time.Now()), mostFound) {
			p.fleet.Tell(topicProbes, p.encode(list))
		}
	}
}

// due returns the results to publish now: the changed ones, or all new ones. It drops
// results of checks that this member no longer makes.
func (p *Probes) due(all bool, now time.Time) (list []Found) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, f := range p.mine {
		switch {
		case now.Sub(f.at) > 2*f.interval:
			delete(p.mine, key)
			continue
		case f.News, all && (f.at.After(f.told) || now.Sub(f.told) >= f.interval):
			list = append(list, f.Found)
			f.told, f.News = now, false
		}
	}
	return list
}

// encode writes the sender's number, and for each result 8 bytes of key and its flags.
func (p *Probes) encode(list []Found) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(list)*foundBytes), p.fleet.box.sum([]byte(p.fleet.id)))
	for _, f := range list {
		var flags byte
		if f.Passed {
			flags |= 1
		}
		if f.News {
			flags |= 2
		}
		b = append(binary.BigEndian.AppendUint64(b, f.Key), flags)
	}
	return b
}

// take handles a message.
func (p *Probes) take(message []byte) {
	if len(message) < 8 || binary.BigEndian.Uint64(message) == p.fleet.box.sum([]byte(p.fleet.id)) {
		return
	}
	var list []Found
	for b := range slices.Chunk(message[8:], foundBytes) {
		if len(b) == foundBytes {
			list = append(list, Found{Key: binary.BigEndian.Uint64(b), Passed: b[8]&1 != 0, News: b[8]&2 != 0})
		}
	}
	p.heard(list)
}

// Duties has this member's part of the checks. It is immutable; nil = nothing is shared.
type Duties struct {
	own    uint64
	others []uint64
}

// Duties returns those of this member; nil if it takes no part, or if so few members do
// that each checks everything.
func (p *Probes) Duties() *Duties {
	s := p.fleet.State()
	var d Duties
	takesPart := false
	for _, m := range s.Members {
		switch sum := p.fleet.box.sum([]byte("probes " + m.ID)); {
		case !m.Probes:
		case m.ID == s.Own:
			takesPart, d.own = true, sum
		default:
			d.others = append(d.others, sum)
		}
	}
	if !takesPart || len(d.others) < Checkers {
		return nil
	}
	return &d
}

// Mine reports whether this member checks the key, by rendezvous hashing (Thaler and
// Ravishankar, 1998). So a member that joins or leaves changes as few duties as possible.
func (d *Duties) Mine(key uint64) bool {
	if d == nil {
		return true
	}
	before, own := 0, weigh(d.own, key)
	for _, o := range d.others {
		if weigh(o, key) > own {
			before++
		}
	}
	return before < Checkers
}

// weigh mixes two numbers (the finalizer of SplitMix64).
func weigh(member, key uint64) uint64 {
	x := member ^ key*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
