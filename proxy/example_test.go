package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"syscall"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/proxy"
)

// A complete program: health checks, retries, hold, a breaker, and a graceful shutdown.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := proxy.NewPool(balancer.DefaultOptions("app"), proxy.DefaultPoolOptions())
	if err != nil {
		log.Fatal(err)
	}
	checker := health.NewChecker(health.DefaultOptions())
	checker.Follow(pool.Pool)
	go checker.Run(ctx)
	pool.Update([]balancer.Spec{{Addr: "127.0.0.1:3001"}, {Addr: "127.0.0.1:3002"}})

	options := proxy.DefaultOptions()
	options.Routes = []proxy.Route{{Pool: pool}}
	p, err := proxy.New(options)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.ListenAndServe(ctx, "127.0.0.1:8080"); err != nil {
		log.Fatal(err)
	}
}

// A proxy is a handler. Here one of two applications is down, and the client gets the
// other's answer.
func ExampleNew() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.URL.Path) }))
	defer app.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	pool, err := proxy.NewPool(balancer.DefaultOptions("app"), proxy.DefaultPoolOptions())
	if err != nil {
		log.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: gone.Listener.Addr().String()}, {Addr: app.Listener.Addr().String()}})
	defer pool.Update(nil)

	options := proxy.DefaultOptions()
	options.Routes = []proxy.Route{{Pool: pool}}
	p, err := proxy.New(options)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("GET", "/world", nil))
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 hello /world
	// 200 hello /world
	// 200 hello /world
}

// Start with the defaults, and change the options that your application needs.
func ExampleDefaultPoolOptions() {
	o := proxy.DefaultPoolOptions()
	o.Retry.Attempts = 3
	o.Hold = proxy.Hold{} // fail at once when no upstream is available
	fmt.Println(o.Retry.Attempts, o.Retry.Budget, o.Timeouts.Dial, o.Hold.For)
	// Output: 3 0.2 1s 0s
}
