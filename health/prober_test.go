package health_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"sync"
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
