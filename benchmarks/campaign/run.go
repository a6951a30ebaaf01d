package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// options are what every scenario is run with.
type options struct {
	rate int // requests per second
	last time.Duration
	runs int
	keep string // directory for the proxies' configurations and logs; "" = they are removed
}

// play runs a scenario against a proxy once and judges what clients saw. run
// counts from 0.
func play(ctx context.Context, s scenario, p peer, o options, run int) (*outcome, error) {
	result := &outcome{Case: s.name, Says: s.says, Proxy: p.name, Run: run + 1, Must: s.must.String()}
	if result.Skipped = s.lacks(p); result.Skipped != "" {
		return result, nil
	}
	n, err := newNetwork(s.wire)
	if err != nil {
		result.Skipped = err.Error()
		return result, nil
	}
	defer n.stop()
	result.Means = n.means
	st := &stage{scenario: s, network: n, ledger: newLedger()}
	answers, lag, err := st.play(ctx, p, o, uint64(run))
	if err != nil {
		return nil, fmt.Errorf("%s against %s: %w", s.name, p.name, err)
	}
	result.count(answers)
	result.Lag = millis(lag)
	result.Duplicated = st.ledger.duplicated()
	if p.name == subject {
		result.Missed = s.must.misses(result)
	}
	return result, nil
}

// stage is one run of a scenario, with backends and a proxy of its own.
type stage struct {
	scenario
	network  *network
	ledger   *ledger
	names    *nameServer // nil = backends go by their addresses
	backends []*backend
}

func (st *stage) play(ctx context.Context, p peer, o options, seed uint64) (answers []answer, lag time.Duration, err error) {
	defer st.end()
	if err := st.begin(); err != nil {
		return nil, 0, err
	}
	r, err := p.start(ctx, st, o.keep)
	if err != nil {
		return nil, 0, err
	}
	steps, cancel := context.WithCancel(ctx)
	var scheduled sync.WaitGroup
	var failed error
	scheduled.Go(func() { failed = follow(steps, st.steps, st.backends) })
	l := &load{at: st.network.near, addr: r.addr, rate: o.rate * max(st.times, 1), last: o.last, mix: st.mix, seed: seed}
	answers, lag = l.run(ctx)
	cancel()
	scheduled.Wait()
	r.stop()
	return answers, lag, errors.Join(failed, ctx.Err())
}

// begin starts the backends.
func (st *stage) begin() error {
	addrs, err := st.addrs()
	if err != nil {
		return err
	}
	if st.named > 0 {
		if st.names, err = newNameServer(); err != nil {
			return err
		}
	}
	for i, addr := range addrs {
		b, err := newBackend(addr, st.network.far, st.traits, st.ledger)
		if b != nil {
			st.backends = append(st.backends, b)
		}
		if err != nil {
			return err
		}
		b.names = st.names
		if i < st.named {
			b.join()
		}
	}
	return nil
}

// end stops the backends. All they executed is known then.
func (st *stage) end() {
	for _, b := range st.backends {
		b.kill()
	}
	if st.names != nil {
		st.names.stop()
	}
}

// addrs returns an address for each backend. Those that go by a name differ in
// the IP only.
func (st *stage) addrs() ([]string, error) {
	addrs := make([]string, st.size())
	if st.named == 0 {
		for i := range addrs {
			var err error
			if addrs[i], err = st.network.far.freeAddr(); err != nil {
				return nil, err
			}
		}
		return addrs, nil
	}
	ips := make([]string, len(addrs))
	ip := netip.MustParseAddr("127.0.1.1")
	for i := range ips {
		ips[i] = ip.String()
		ip = ip.Next()
	}
	first, err := freeAddr(ips...)
	for i := range addrs {
		addrs[i] = net.JoinHostPort(ips[i], portOf(first))
	}
	return addrs, err
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
