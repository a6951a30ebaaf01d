package health_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
)

// greeting is your own health check: the upstream must send a word first. A checker calls
// it for many upstreams at once, and ctx ends at the check's timeout.
type greeting struct{ word string }

func (g greeting) Probe(ctx context.Context, u *balancer.Upstream) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Addr())
	if err != nil {
		return err // counts as a failed check; its text is in the status
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	got := make([]byte, len(g.word))
	if _, err := conn.Read(got); err != nil {
		return err
	}
	if string(got) != g.word {
		return errors.New("the greeting is another")
	}
	return nil
}

// Your own health check is one method.
func ExampleProber() {
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := app.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("hello"))
			conn.Close()
		}
	})
	defer serving.Wait()
	defer app.Close()

	pool, err := balancer.NewPool(balancer.DefaultOptions("app"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Update(nil)
	verdicts := make(chan health.Event, 100)
	options := health.DefaultOptions()
	options.Prober, options.Interval = greeting{"hello"}, time.Hour
	options.Report = func(e health.Event) { verdicts <- e }
	checker := health.NewChecker(options)
	defer checker.Follow(pool)()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { checker.Run(ctx) })
	defer running.Wait()
	defer stop()

	pool.Update([]balancer.Spec{{Addr: app.Addr().String()}})
	fmt.Println((<-verdicts).Verdict)
	// Output: up
}

// A prober that panics makes its check fail. Other checks and the program continue.
func TestPanickingProber(t *testing.T) {
	t.Parallel()
	pool, err := balancer.NewPool(balancer.DefaultOptions("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Update(nil)
	events := make(chan health.Event, 100)
	options := health.DefaultOptions()
	options.Prober, options.Interval, options.Thresholds.Fall = proberFunc(func(u *balancer.Upstream) error {
		if u.Addr() == "a:1" {
			panic("no answer has no header")
		}
		return nil
	}), time.Hour, 1
	options.Report = func(e health.Event) { events <- e }
	checker := health.NewChecker(options)
	defer checker.Follow(pool)()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { checker.Run(ctx) })
	defer running.Wait()
	defer stop()
	pool.Update([]balancer.Spec{{Addr: "a:1"}, {Addr: "b:1"}})
	for range 2 {
		switch e := <-events; {
		case e.Upstream.Addr() == "b:1" && e.Err != nil:
			t.Errorf("the other upstream: %v", e.Err)
		case e.Upstream.Addr() == "a:1":
			p, ok := errors.AsType[*health.PanicError](e.Err)
			if !ok || p.Error() != "the prober panicked: no answer has no header" || !strings.Contains(string(p.Stack), "TestPanickingProber") {
				t.Errorf("got %v", e.Err)
			}
		}
	}
}

type proberFunc func(*balancer.Upstream) error

func (f proberFunc) Probe(_ context.Context, u *balancer.Upstream) error { return f(u) }
