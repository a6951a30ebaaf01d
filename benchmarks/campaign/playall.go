package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// turn is one run of a scenario against a peer, with its result.
type turn struct {
	scenario scenario
	peer     peer
	options  options
	run      int
	done     chan struct{} // closed when the fields below are set
	outcome  *outcome
	err      error
}

// turns returns the runs, in order.
func (c *command) turns(chosen []peer) (all []*turn) {
	for run := range c.runs {
		for _, s := range c.scenarios {
			for _, p := range chosen {
				o := c.options
				o.ip = o.address(len(all))
				all = append(all, &turn{scenario: s, peer: p, options: o, run: run, done: make(chan struct{})})
			}
		}
	}
	return all
}

// playAll runs every scenario against every peer as often as requested, and reports the
// results in order, until ctx ends. Quiet scenarios cause no load, so many of them run
// concurrently; the others run one after another.
func (c *command) playAll(ctx context.Context, chosen []peer, tell func(*outcome, error)) {
	players := 1
	if c.quiet {
		players = c.together
	}
	all := c.turns(chosen)
	next := make(chan *turn, len(all))
	for _, t := range all {
		next <- t
	}
	close(next)
	var plays sync.WaitGroup
	defer plays.Wait()
	for i := range players {
		plays.Go(func() {
			wait(ctx, time.Duration(i)*quietFor/time.Duration(players)) // do not begin all at once
			for t := range next {
				if ctx.Err() == nil {
					t.outcome, t.err = play(ctx, t.scenario, t.peer, t.options, t.run)
				}
				close(t.done)
			}
		})
	}
	for _, t := range all {
		<-t.done
		if ctx.Err() != nil {
			return
		}
		tell(t.outcome, t.err)
	}
}

// address returns the loopback address of the n-th run. Concurrent runs have different
// addresses, so that none takes a port that the backend of another run gives up for a
// moment.
func (o options) address(n int) string {
	if !o.quiet {
		return loopback
	}
	const blocks = 250 // addresses that differ in the third byte
	return fmt.Sprintf("127.%d.%d.1", 1+n/blocks%blocks, n%blocks)
}
