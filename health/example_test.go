package health_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
)

// A checker that follows a pool probes all its upstreams, with those that join later.
func ExampleChecker_Follow() {
	app := httptest.NewServer(http.NotFoundHandler()) // any answer says that it runs
	defer app.Close()
	pool, err := balancer.NewPool(balancer.DefaultOptions("app"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Update(nil)

	probed := make(chan health.Event, 10)
	options := health.DefaultOptions()
	options.Report = func(e health.Event) { probed <- e }
	checker := health.NewChecker(options)
	defer checker.Follow(pool)()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { checker.Run(ctx) })
	defer running.Wait()
	defer stop()

	pool.Update([]balancer.Spec{{Addr: app.Listener.Addr().String()}})
	fmt.Println((<-probed).Verdict)
	// Output: up
}
