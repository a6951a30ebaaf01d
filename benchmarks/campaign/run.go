package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// options apply to every scenario.
type options struct {
	rate int // requests per second
	last time.Duration
	runs int

	quiet    bool // use the quiet form of cases
	together int  // number of concurrent quiet cases

	keep string // directory in which to keep the proxies' configurations and logs; "" = remove them
	ip   string // loopback address of networks without a wire
}

// play runs a scenario against a proxy once, and judges the clients' results. run
// counts from 0.
func play(ctx context.Context, s scenario, p peer, o options, run int) (*outcome, error) {
	result := &outcome{Case: s.name, Says: s.says, Of: s.of, Pool: s.size(), Proxy: p.name, Run: run + 1, Must: s.must.String()}
	if result.Skipped = s.lacks(p); result.Skipped != "" {
		return result, nil
	}
	n, err := newNetwork(s.wire, o.ip)
	if err != nil {
		result.Skipped = err.Error()
		return result, nil
	}
	defer n.stop()
	result.Means = n.means
	st := &stage{scenario: s, network: n, ledger: newLedger()}
	answers, lag, records, err := st.play(ctx, p, o, uint64(run))
	if err != nil {
		return nil, fmt.Errorf("%s against %s: %w", s.name, p.name, err)
	}
	result.count(answers)
	result.Lag = millis(lag)
	result.Duplicated = st.ledger.duplicated()
	result.Again, result.LongAgain = st.ledger.repeated()
	if p.name == subject {
		result.Refused, result.Queued = readLog(records)
		result.Missed = result.judge(s.must, answers)
	}
	return result, nil
}

// stage is one run of a scenario, with its own backends and proxy.
type stage struct {
	scenario
	network  *network
	ledger   *ledger
	names    *nameServer // nil = the proxy knows the backends by address
	backends []*backend
	dir      string // directory of the backends' certificate; "" = none
}

// play returns the clients' answers, the largest delay of sending, and the proxy's
// output.
func (st *stage) play(ctx context.Context, p peer, o options, seed uint64) (answers []answer, lag time.Duration, wrote []byte, err error) {
	defer st.end()
	if err := st.begin(); err != nil {
		return nil, 0, nil, err
	}
	r, err := p.start(ctx, st, o.keep)
	if err != nil {
		return nil, 0, nil, err
	}
	steps, cancel := context.WithCancel(ctx)
	var scheduled sync.WaitGroup
	var failed error
	scheduled.Go(func() { failed = follow(steps, st.at(), st.backends) })
	l := &load{
		at: st.network.near, addr: r.addr, pace: st.pace.or(o.rate*max(st.times, 1), o.last), patience: st.patience,
		mix: st.mix, seed: seed, ledger: st.ledger,
	}
	answers, lag = l.run(ctx)
	cancel()
	scheduled.Wait()
	r.stop()
	return answers, lag, r.out.Bytes(), errors.Join(failed, ctx.Err())
}

// begin starts the backends.
func (st *stage) begin() error {
	addrs, err := st.addrs()
	if err != nil {
		return err
	}
	if st.named {
		if st.names, err = newNameServer(); err != nil {
			return err
		}
	}
	if st.traits.speaks == https {
		if st.dir, err = os.MkdirTemp("", "campaign-certificate-"); err != nil {
			return err
		}
		if st.traits.cert, err = newCertificate(st.dir, addrs); err != nil {
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
		b.names, b.sieve = st.names, st.network.sieve
		if st.named && i < st.size() {
			b.join()
		}
	}
	return nil
}

// end stops the backends. All executions are known after that.
func (st *stage) end() {
	for _, b := range st.backends {
		b.stop()
	}
	if st.names != nil {
		st.names.stop()
	}
	if st.dir != "" {
		os.RemoveAll(st.dir)
	}
}

// addrs returns an address for each backend. Backends with a common name differ only in
// the IP.
func (st *stage) addrs() ([]string, error) {
	addrs := make([]string, st.total())
	if !st.named {
		for i := range addrs {
			var err error
			if addrs[i], err = st.network.far.freeAddr(); err != nil {
				return nil, err
			}
		}
		return addrs, nil
	}
	ips := make([]string, len(addrs))
	ip := netip.MustParseAddr(st.network.far.ip).Next()
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

// follow executes the steps, which are in the order of time, until ctx ends.
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
