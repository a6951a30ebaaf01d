package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// options are what every scenario is run with.
type options struct {
	rate int // requests per second
	last time.Duration
	runs int
}

// play runs a scenario against a proxy and judges what clients saw.
func play(ctx context.Context, s scenario, p peer, o options) (*outcome, error) {
	result := &outcome{Case: s.name, Says: s.says, Proxy: p.name, Skipped: s.skipped}
	if s.skipped != "" {
		return result, nil
	}
	var answers []answer
	duplicated := 0
	for i := range o.runs {
		got, twice, err := once(ctx, s, p, o, uint64(i))
		if err != nil {
			return nil, fmt.Errorf("%s against %s: %w", s.name, p.name, err)
		}
		answers = append(answers, got...)
		duplicated += twice
	}
	result.count(answers)
	result.Duplicated = duplicated
	if p.name == subject {
		result.Missed = s.must.misses(result)
	}
	return result, nil
}

// once runs a scenario with backends and a proxy of its own.
func once(ctx context.Context, s scenario, p peer, o options, seed uint64) (answers []answer, duplicated int, err error) {
	l := newLedger()
	backends, stop, err := startBackends(s, l)
	if err != nil {
		return nil, 0, err
	}
	defer stop()
	addrs := make([]string, len(backends))
	for i, b := range backends {
		addrs[i] = b.addr
	}
	r, err := p.start(ctx, addrs)
	if err != nil {
		return nil, 0, err
	}
	steps, cancel := context.WithCancel(ctx)
	var scheduled sync.WaitGroup
	var failed error
	scheduled.Go(func() { failed = follow(steps, s.steps, backends) })
	answers = (&load{addr: r.addr, rate: o.rate, last: o.last, posts: s.posts, seed: seed}).run(ctx)
	cancel()
	scheduled.Wait()
	r.stop()
	stop() // all they executed is known now
	return answers, l.duplicated(), errors.Join(failed, ctx.Err())
}

// startBackends starts a scenario's backends; stop may be called twice.
func startBackends(s scenario, l *ledger) (all []*backend, stop func(), err error) {
	stop = sync.OnceFunc(func() {
		for _, b := range all {
			b.kill()
		}
	})
	for range s.size() {
		b, err := newBackend(s.traits, l)
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, b)
	}
	return all, stop, nil
}

// follow takes the steps, which are in the order of time, until ctx ends.
func follow(ctx context.Context, steps []step, backends []*backend) error {
	began := time.Now()
	for _, s := range steps {
		wait(ctx, time.Until(began.Add(s.at)))
		if ctx.Err() != nil {
			return nil
		}
		for i, b := range backends {
			if s.who != everyone && s.who != i {
				continue
			}
			if err := s.do(b); err != nil {
				return fmt.Errorf("backend %d after %v: %w", i, s.at, err)
			}
		}
	}
	return nil
}
