package health

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/lab/memnet"
)

// process is an upstream's server in memory. Tests can stop and end it.
type process struct {
	t        *testing.T
	network  *memnet.Network
	upstream *balancer.Upstream
	stopped  atomic.Bool // as by SIGSTOP: it accepts connections and does nothing else
	asked    atomic.Int32
	listener net.Listener
}

func (p *process) start() {
	l, err := p.network.Listen(p.upstream.Addr())
	if err != nil {
		p.t.Fatal(err)
	}
	p.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
}

func (p *process) serve(c net.Conn) {
	defer c.Close()
	c.Read(make([]byte, 4096))
	p.asked.Add(1)
	if p.stopped.Load() {
		io.Copy(io.Discard, c)
		return
	}
	io.WriteString(c, answerOK)
}

// wantAfter checks the verdict some time later.
func (p *process) wantAfter(d time.Duration, want balancer.Health) {
	p.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := p.upstream.Health(); got != want {
		p.t.Errorf("after %v: verdict %v, want %v", d, got, want)
	}
}

// runAlive calls f with a server that a checker probes at the default times.
func runAlive(t *testing.T, stopped bool, f func(p *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &process{t: t, network: memnet.New(), upstream: upstreams(t, "10.0.0.1:80")[0]}
		p.stopped.Store(stopped)
		p.start()
		prober := NewAlive(AliveOptions{})
		prober.dialer.connect = p.network.DialContext
		c := NewChecker(Options{Prober: prober, Thresholds: balancer.Thresholds{Rise: 2, Fall: 2}})
		c.Watch([]*balancer.Upstream{p.upstream})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		f(p)
		stop()
		<-done
		p.listener.Close()
	})
}

// A stopped process is down when the next probe, at most an interval later, and the one
// after it get no answer. It is up again after two passed probes in a row.
func TestAliveFindsStoppedProcess(t *testing.T) {
	runAlive(t, false, func(p *process) {
		p.wantAfter(0, balancer.Up)
		p.wantAfter(5*time.Second, balancer.Up)
		p.stopped.Store(true)
		p.wantAfter(5*time.Second, balancer.Down)
		p.wantAfter(time.Hour, balancer.Down)
		p.stopped.Store(false)
		p.wantAfter(5*time.Second, balancer.Up)
	})
}

// A server that does not answer the question counts as one that accepts connections. Its
// first verdict comes soon.
func TestAliveOfSilentUpstream(t *testing.T) {
	runAlive(t, true, func(p *process) {
		p.wantAfter(firstWait-time.Millisecond, balancer.Checking)
		p.wantAfter(time.Millisecond, balancer.Up)
		p.wantAfter(time.Hour, balancer.Up)
		if n := p.asked.Load(); n < 1000 {
			t.Errorf("asked %d times in an hour", n)
		}
		p.listener.Close()
		p.wantAfter(5*time.Second, balancer.Down)
		p.start()
		p.wantAfter(5*time.Second, balancer.Up)
		p.stopped.Store(false) // it answers, and must answer from then on
		p.wantAfter(5*time.Second, balancer.Up)
		p.stopped.Store(true)
		p.wantAfter(5*time.Second, balancer.Down)
	})
}

// The checker forgets an answer when the process ends: another one may listen there next.
func TestAliveForgetsRemovedUpstreams(t *testing.T) {
	runAlive(t, false, func(p *process) {
		p.wantAfter(5*time.Second, balancer.Up)
		p.listener.Close()
		p.wantAfter(5*time.Second, balancer.Down)
		p.stopped.Store(true)
		p.start()
		p.wantAfter(5*time.Second, balancer.Up)
		p.wantAfter(time.Hour, balancer.Up)
	})
}

// An upstream that answers live requests is up even if it ignores the question.
func TestAliveUsesLiveTraffic(t *testing.T) {
	runAlive(t, false, func(p *process) {
		p.wantAfter(5*time.Second, balancer.Up)
		p.stopped.Store(true)
		for range 100 {
			lease, ok := (&balancer.Member{Upstream: p.upstream}).TryAcquire()
			if !ok {
				p.t.Fatal("no place for a request")
			}
			lease.Report(balancer.Success, time.Millisecond)
			lease.Release()
			p.wantAfter(500*time.Millisecond, balancer.Up)
		}
		p.wantAfter(5*time.Second, balancer.Down)
	})
}
