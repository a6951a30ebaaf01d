package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/balancer"
	loadgen "github.com/goodgate/goodgate/internal/lab/bench"
)

// measureKnee determines nginx's highest rate, and sends 70 % of it to all proxies in
// an open loop, in which waiting counts.
func (b *bench) measureKnee(ctx context.Context, targets []target) error {
	i := slices.IndexFunc(targets, func(t target) bool { return t.name == yard })
	if i < 0 {
		return nil
	}
	b.progress("the rate that %s can take", yard)
	step := max(b.each/2, 500*time.Millisecond)
	good, _, err := loadgen.Knee{
		Target: loadgen.Target{URL: "http://" + targets[i].Addr + "/"}, From: 1000, Step: step, P99: 50 * time.Millisecond,
	}.Find(ctx)
	if err != nil {
		return err
	}
	if good == nil {
		return fmt.Errorf("%s cannot take 1000 requests a second here", yard)
	}
	rate := 0.7 * good.PerSecond()
	b.report.KneeRate = good.PerSecond()
	b.progress("p99 at %.0f requests a second", rate)
	for range b.rounds {
		for _, t := range targets {
			if t.variant != "" {
				continue
			}
			r, err := loadgen.Run(ctx, loadgen.Plan{Target: loadgen.Target{URL: "http://" + t.Addr + "/"}, Pace: loadgen.Fixed(rate), For: max(b.each, time.Second)})
			if err != nil {
				return err
			}
			f := b.report.fact(t.name)
			f.KneeP99 = append(f.KneeP99, r.Latency.P99)
			f.KneeP50 = append(f.KneeP50, r.Latency.P50)
			if r.FailedShare() > f.KneeFailed {
				f.KneeFailed = r.FailedShare()
			}
		}
	}
	return nil
}

// measureStart starts every proxy several times.
func (b *bench) measureStart(ctx context.Context) error {
	b.progress("starts")
	for range max(b.rounds, 2) {
		for _, p := range b.peers {
			t, took, err := b.startOne(ctx, p, upstreamAddrs(b.port, few), "")
			if err != nil {
				return err
			}
			f := b.report.fact(p.name)
			f.StartMS = append(f.StartMS, micros(took)/1000)
			time.Sleep(max(b.each/2, 300*time.Millisecond))
			rest, err := t.resident()
			f.RestMB = append(f.RestMB, megabytes(rest))
			t.stop()
			if err != nil {
				return err
			}
			if info, err := os.Stat(p.program); err == nil && p.program != os.Args[0] {
				f.BinaryMB = megabytes(info.Size())
			}
		}
	}
	return nil
}

// measureIdle measures the memory per idle client.
func (b *bench) measureIdle(ctx context.Context) error {
	b.progress("%d idle clients", b.idle)
	for _, p := range b.peers {
		t, _, err := b.startOne(ctx, p, upstreamAddrs(b.port, few), "")
		if err != nil {
			return err
		}
		err = b.idleOf(ctx, t)
		t.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) idleOf(ctx context.Context, t target) error {
	const settle = 3 * time.Second // time until the memory of the requests is freed
	time.Sleep(settle)
	before, err := t.resident()
	if err != nil {
		return err
	}
	clients, err := openIdle(ctx, t.Addr, b.idle)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	time.Sleep(settle)
	after, err := t.resident()
	b.report.fact(t.name).IdleKB = float64(after-before) / float64(b.idle) / 1e3
	return err
}

// measureAllocs counts the allocations of goodgate and the plain proxy for a GET, in
// processes of this program that report them.
func (b *bench) measureAllocs(ctx context.Context) error {
	b.progress("allocations")
	for _, p := range b.peers {
		counted := *p
		switch p.name {
		case subject:
			counted.args = func(_ *peer, s *settings) []string { return []string{os.Args[0], roleFlag, "counted", s.File, s.Pair} }
		case "stock":
		default:
			continue
		}
		if err := b.allocsOf(ctx, &counted); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) allocsOf(ctx context.Context, p *peer) error {
	s := b.secrets
	s.Backends = upstreamAddrs(b.port, few)
	set, err := p.configure(b.dir, s)
	if err != nil {
		return err
	}
	told := set.Admin
	if p.name == subject {
		if told, err = freeAddr(); err != nil {
			return err
		}
		set.Pair = told // argument of the role
	}
	run, _, err := p.start(ctx, set)
	if err != nil {
		return err
	}
	defer run.stop()
	load := func(each time.Duration) (result, error) {
		return closed(b.connections, each, func() (client, error) { return openPlain(set.Addr, newRequest("/", 0, false)) })
	}
	if _, err := load(b.each / 4); err != nil { // pools fill
		return err
	}
	n0, bytes0, err := allocations(told)
	if err != nil {
		return err
	}
	r, err := load(b.each)
	if err != nil {
		return err
	}
	n1, bytes1, err := allocations(told)
	f := b.report.fact(p.name)
	f.Allocs, f.AllocKB = (n1-n0)/float64(r.n), (bytes1-bytes0)/float64(r.n)/1e3
	return err
}

// measureChecks measures the cost of checking many upstreams every second, and how
// evenly the checks are spread.
func (b *bench) measureChecks(ctx context.Context) error {
	b.progress("%d upstreams checked every second", b.checks)
	backend, port, err := startBackend(b.checks)
	if err != nil {
		return err
	}
	defer backend.stop()
	t, _, err := b.startOne(ctx, b.peers[0], upstreamAddrs(port, b.checks), "1s")
	if err != nil {
		return err
	}
	defer t.stop()
	time.Sleep(5 * time.Second) // all upstreams are up, and the checks are spread
	const window = 100 * time.Millisecond
	before, err := t.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	last, err := countOf(port)
	if err != nil {
		return err
	}
	first, most, at := last, 0.0, began
	for time.Since(began) < max(4*b.each, time.Second) {
		time.Sleep(window)
		n, err := countOf(port)
		if err != nil {
			return err
		}
		now := time.Now()
		most = max(most, float64(n-last)/now.Sub(at).Seconds())
		last, at = n, now
	}
	after, err := t.cpu()
	took := at.Sub(began).Seconds()
	mean := float64(last-first) / took
	f := b.report.fact(subject)
	f.ChecksShare = (after - before).Seconds() / took
	f.ChecksRate, f.ChecksBurst = mean, most/max(mean, 1)
	if mb, err := t.resident(); err == nil {
		f.ChecksMB = megabytes(mb)
	}
	return err
}

func countOf(port string) (int, error) {
	res, err := http.Get("http://127.0.0.1:" + port + "/count")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// measurePick measures each policy with 10,000 upstreams.
func (b *bench) measurePick(context.Context) error {
	b.progress("pick")
	const n = 10_000
	specs := make([]balancer.Spec, n)
	for i, addr := range upstreamAddrs("1", n) {
		specs[i].Addr = addr
	}
	b.report.Picks = map[string]pick{}
	for _, policy := range balancer.Policies() {
		pool, err := balancer.NewPool(balancer.Options{Name: "app", Policy: policy})
		if err != nil {
			return err
		}
		pool.Update(specs)
		b.report.Picks[policy] = timePicks(pool)
		pool.Update(nil)
	}
	return nil
}

func timePicks(pool *balancer.Pool) pick {
	const picks = 300_000
	c := balancer.Choice{Now: time.Now().UnixNano()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for range picks {
		c.Hash += 0x9e3779b97f4a7c15 // golden ratio: a different client each time
		c.Sticky = pool.Pick(&c).ID()
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return pick{NS: float64(took.Nanoseconds()) / picks, Allocs: math.Round(float64(after.Mallocs-before.Mallocs) / picks)}
}
