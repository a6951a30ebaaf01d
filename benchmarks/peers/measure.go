package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// bench is a run of the benchmark.
type bench struct {
	options
	dir     string
	peers   []*peer
	secrets settings // has the certificate
	backend *process
	port    string // port of the backend
	report  *report
}

func newBench(o options) (b *bench, err error) {
	for _, name := range splitList(o.cases) {
		if !slices.Contains(caseNames(), name) {
			return nil, fmt.Errorf("no case %q; there are %v", name, caseNames())
		}
	}
	b = &bench{options: o}
	if b.dir, err = os.MkdirTemp("", "goodgate-peers-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err = os.Chmod(b.dir, 0o755); err != nil {
		return nil, err
	}
	if b.secrets, err = makeCertificate(b.dir); err != nil {
		return nil, err
	}
	if b.peers, err = findPeers(o, b.dir); err != nil {
		return nil, err
	}
	if b.backend, b.port, err = startBackend(many); err != nil {
		return nil, err
	}
	b.report, err = newReport(o, b.peers)
	return b, err
}

func (b *bench) close() {
	b.backend.stop()
	os.RemoveAll(b.dir)
}

// startBackend runs n upstreams in one process.
func startBackend(n int) (p *process, port string, err error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	port = portOf(addr)
	if p, err = start(os.Args[0], roleFlag, "backend", port, fmt.Sprint(n)); err != nil {
		return nil, "", err
	}
	for range 500 {
		if err = get(addr, "/"); err == nil {
			return p, port, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.stop()
	return nil, "", fmt.Errorf("the backend does not answer: %w: %s", err, p.out.String())
}

// measure runs the requested cases. It returns errors of the benchmark itself; errors
// of a proxy are in the report.
func (b *bench) measure(ctx context.Context) error {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{caseStart, b.measureStart},
		{"", b.measureLoads},
		{caseIdle, b.measureIdle},
		{caseAllocs, b.measureAllocs},
		{caseChecks, b.measureChecks},
		{casePick, b.measurePick},
	}
	for _, s := range steps {
		if s.name != "" && !b.wants(s.name) {
			continue
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// target is a running peer.
type target struct {
	*peer
	*settings
	*process
}

// startAll starts every peer, with the first n upstreams.
func (b *bench) startAll(ctx context.Context, n int) (list []target, stop func(), err error) {
	stop = func() {
		for _, t := range list {
			t.stop()
		}
	}
	peers := b.peers
	if n == few {
		for _, p := range b.peers {
			peers = append(peers[:len(peers):len(peers)], p.variants()...)
		}
	}
	for _, p := range peers {
		t, _, err := b.startOne(ctx, p, upstreamAddrs(b.port, n), "")
		if err != nil {
			stop()
			return nil, nil, err
		}
		list = append(list, t)
	}
	return list, stop, nil
}

// startOne starts one peer, and returns the time until it served.
func (b *bench) startOne(ctx context.Context, p *peer, backends []string, interval string) (t target, took time.Duration, err error) {
	s := b.secrets
	s.Backends, s.Interval = backends, interval
	t = target{peer: p}
	if t.settings, err = p.configure(b.dir, s); err != nil {
		return t, 0, err
	}
	t.process, took, err = p.start(ctx, t.settings)
	return t, took, err
}

// measureLoads runs the workloads against every proxy, in interleaved rounds.
func (b *bench) measureLoads(ctx context.Context) error {
	for _, n := range []int{few, 1, many} {
		var list []workload
		for _, w := range workloads() {
			if w.upstreams == n && b.wants(w.name) {
				list = append(list, w)
			}
		}
		knee := n == few && b.wants(caseKnee)
		if len(list) == 0 && !knee {
			continue
		}
		targets, stop, err := b.startAll(ctx, n)
		if err != nil {
			return err
		}
		for _, w := range list {
			b.turns(ctx, w, targets)
		}
		if n == few {
			b.notePeaks(targets)
		}
		if knee {
			err = b.measureKnee(ctx, targets)
		}
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// turns runs one workload against the targets in turn.
func (b *bench) turns(ctx context.Context, w workload, targets []target) {
	b.progress("%s", w.title)
	broken := map[string]bool{}
	for range b.rounds {
		for _, t := range targets {
			if broken[t.name] || !t.takesPart(w) || ctx.Err() != nil {
				continue
			}
			if w.tls && t.name == subject && !t.TLS {
				b.report.skip(w, t.name, "this goodgate has no listeners by TLS")
				broken[t.name] = true
				continue
			}
			s, err := b.round(w, t)
			if err != nil {
				b.report.fail(w, t.name, err)
				broken[t.name] = true
				continue
			}
			b.report.add(w, t.name, s)
		}
	}
}

// round loads one proxy, and reads the CPU time of its processes before and after.
func (b *bench) round(w workload, t target) (s sample, err error) {
	addr := t.Addr
	if w.tls {
		addr = t.TLSAddr
	}
	if _, err := w.run(addr, b.connections, b.each/8); err != nil { // warm up
		return s, err
	}
	before, err := t.cpu()
	if err != nil {
		return s, err
	}
	r, err := w.run(addr, b.connections, b.each)
	if err != nil {
		return s, err
	}
	after, err := t.cpu()
	return sample{
		CPU:  micros(after-before) / float64(r.n),
		Rate: float64(r.n) / r.took.Seconds(),
		P50:  micros(r.p50) / 1000, P99: micros(r.p99) / 1000, P999: micros(r.p999) / 1000,
	}, err
}

func (b *bench) notePeaks(targets []target) {
	for _, t := range targets {
		if t.variant != "" {
			continue
		}
		if n, err := t.peak(); err == nil {
			b.report.fact(t.name).PeakMB = megabytes(n)
		}
	}
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func megabytes(n int64) float64 { return float64(n) / 1e6 }

func splitList(s string) (list []string) {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
