package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// fakePool is a pool whose members become ready on the test's command.
type fakePool struct {
	mu       sync.Mutex // protects the fields below
	members  map[string]*Member
	intro    *balancer.Introduction
	drained  map[string]bool
	refuses  error // of Check
	stuck    error // results of Stand
	keeps    bool
	cold     error         // results of Ask
	startsIn time.Duration // until a new upstream is ready; below 0 = never
	asked    []string
	history  []string // the pool's state after the deploy's changes
}

func newFakePool(addrs ...string) *fakePool {
	p := &fakePool{members: map[string]*Member{}, drained: map[string]bool{}}
	for _, a := range addrs {
		p.members[a] = &Member{Origin: a, Addr: a, Ready: true}
	}
	return p
}

func (p *fakePool) Check() error { return p.refuses }

func (p *fakePool) KeepsClients() bool { return p.keeps }

func (p *fakePool) Lookup(url string) (string, error) {
	addr, ok := strings.CutPrefix(url, "http://")
	if !ok {
		return "", fmt.Errorf("%q is no URL", url)
	}
	return addr, nil
}

func (p *fakePool) Members() (list []Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		one := *m
		one.Ready = one.Ready && !p.drained[m.Addr]
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Addr, b.Addr) })
	return list
}

func (p *fakePool) Stand(addr, url string, member, drained bool, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != nil {
		return p.stuck
	}
	is := p.members[addr] != nil
	switch {
	case member && !is && url != "":
		p.members[addr] = &Member{Origin: addr, Addr: addr, Ready: p.startsIn == 0, Why: "connection refused"}
		if p.startsIn > 0 {
			time.AfterFunc(p.startsIn, func() { p.set(addr, func(m *Member) { m.Ready = true }) })
		}
		p.note("+" + addr)
	case !member && is:
		delete(p.members, addr)
		p.note("-" + addr)
	}
	if p.drained[addr] != (member && drained) {
		p.drained[addr] = member && drained
		p.note(fmt.Sprintf("drain %s %t", addr, drained))
	}
	return nil
}

func (p *fakePool) Introduce(in *balancer.Introduction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intro = in
	if in == nil {
		p.note("all alike")
	} else {
		p.note(fmt.Sprintf("share %v", in.Share))
	}
}

func (p *fakePool) note(what string) {
	if n := len(p.history); n == 0 || p.history[n-1] != what {
		p.history = append(p.history, what)
	}
}

func (p *fakePool) Ask(_ context.Context, addr, path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, addr+path)
	return p.cold
}

func (p *fakePool) set(addr string, f func(*Member)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.members[addr]; m != nil {
		f(m)
	}
}

func (p *fakePool) introduction() *balancer.Introduction {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.intro
}

func (p *fakePool) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for a := range p.members {
		list = append(list, a)
	}
	slices.Sort(list)
	return list
}

// bench is an engine with one pool in a bubble.
type bench struct {
	t      *testing.T
	pool   *fakePool
	file   string
	engine *Engine
	book   *changes.Book
	stop   func() // like kill -9: everything stops
}

const app = "app"

// newBench returns a running engine over a pool of old:1 and old:2.
func newBench(t *testing.T) *bench {
	b := &bench{t: t, pool: newFakePool("old:1", "old:2"), file: filepath.Join(t.TempDir(), "state.json")}
	b.start()
	return b
}

// start begins a process: with the book's file as it is.
func (b *bench) start() {
	b.book = changes.Open(changes.Options{File: b.file})
	b.engine = New(Options{Book: b.book, Find: func(name string) (Pool, bool) { return b.pool, name == app }, Pools: func() []string { return []string{app} }})
	b.engine.Resume()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.engine.Run(ctx); close(ended) }()
	synctest.Wait()
	b.stop = func() { cancel(); <-ended }
	b.t.Cleanup(b.stop)
}

func (b *bench) order(o Order) View {
	b.t.Helper()
	o.Pool = app
	if o.To == nil {
		o.To = []string{"http://new:1", "http://new:2"}
	}
	v, err := b.engine.Order(o, "tester")
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *bench) view() View {
	b.t.Helper()
	v, err := b.engine.Get(app, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// traffic sends requests for a time, or until the deploy ends. It fails the test if
// that takes longer.
func (b *bench) traffic(lasts time.Duration, rate int, fresh version) {
	b.t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	began, n := time.Now(), 0
	for time.Since(began) < lasts {
		b.request(r, began, fresh)
		if n++; n%(rate/2) != 0 {
			time.Sleep(time.Second / time.Duration(rate))
			continue
		}
		if v, err := b.engine.Get(app, 0); err == nil && v.Over {
			return
		}
		time.Sleep(time.Second / time.Duration(rate))
	}
}

func (b *bench) request(r *rand.Rand, began time.Time, fresh version) {
	share, addrs := 0.0, b.pool.names()
	if in := b.pool.introduction(); in != nil {
		share = in.Share
	}
	isNew := r.Float64() < share
	var to []string
	for _, a := range addrs {
		if strings.HasPrefix(a, "new") == isNew {
			to = append(to, a)
		}
	}
	if len(to) == 0 {
		to = addrs
	}
	s := Sample{New: isNew, Upstream: to[r.IntN(len(to))]}
	v := usual
	if isNew {
		v = fresh
	}
	v.answer(r, plain, &s, time.Since(began), 1000)
	b.engine.Observe(recordOf(s))
}

// recordOf is the account of a request that has shown a sample.
func recordOf(s Sample) *proxy.Record {
	r := &proxy.Record{Pool: app, Method: "GET", Path: "/", ID: "id", Status: 200, Client: netip.MustParseAddr("127.0.0.1")}
	a := proxy.Attempt{Upstream: s.Upstream, Status: 200, Took: s.Took}
	switch {
	case s.Failed && s.New: // hidden by an old one
		a.Status, a.Reason = 500, reason.UpstreamStatus
	case s.Failed:
		a.Status, r.Status = 500, 500
	case s.Refused:
		a.Status, r.Status = 404, 404
	}
	r.Attempts = []proxy.Attempt{a}
	return r
}

var errFake = errors.New("fake")
