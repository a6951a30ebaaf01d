package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// A Proxy is an http.Handler, so any func(http.Handler) http.Handler can wrap it. A
// middleware's own answers have no record. Routes see its changes to the request.
func ExampleProxy_ServeHTTP_middleware() {
	tenant := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Key") != "k1" {
				http.Error(w, "who are you?", http.StatusForbidden)
				return
			}
			r.Header.Set("X-Tenant", "one")
			next.ServeHTTP(w, r)
		})
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "tenant "+r.Header.Get("X-Tenant")) }))
	defer app.Close()
	pool, err := proxy.NewPool(balancer.DefaultOptions("app"), proxy.DefaultPoolOptions())
	if err != nil {
		log.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: app.Listener.Addr().String()}})
	defer pool.Update(nil)
	options := proxy.DefaultOptions()
	options.Routes = []proxy.Route{{Pool: pool}}
	p, err := proxy.New(options)
	if err != nil {
		log.Fatal(err)
	}
	front := httptest.NewServer(tenant(p))
	defer front.Close()

	for _, key := range []string{"k1", "k2"} {
		r, _ := http.NewRequest(http.MethodGet, front.URL, nil)
		r.Header.Set("X-Key", key)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%d %.10s\n", res.StatusCode, body)
	}
	// Output:
	// 200 tenant one
	// 403 who are yo
}

// follow gives the pool each list that a source sends. A source that fails sends nothing, so
// the pool keeps the last good list.
func follow(ctx context.Context, pool *proxy.Pool, lists <-chan []string) {
	for {
		select {
		case addresses := <-lists:
			specs := make([]balancer.Spec, len(addresses))
			for i, addr := range addresses {
				specs[i] = balancer.Spec{Addr: addr}
			}
			pool.Update(specs) // upstreams that stay keep their state and connections
		case <-ctx.Done():
			return
		}
	}
}

// A custom discovery source is a goroutine that calls Update.
func ExamplePool_Update_discovery() {
	pool, err := proxy.NewPool(balancer.DefaultOptions("app"), proxy.DefaultPoolOptions())
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	lists := make(chan []string)
	var following sync.WaitGroup
	following.Go(func() { follow(ctx, pool, lists) })
	lists <- []string{"10.0.0.1:80"}
	lists <- []string{"10.0.0.1:80", "10.0.0.2:80"}
	stop()
	following.Wait()
	for _, m := range pool.Members() {
		fmt.Println(m.Addr())
	}
	pool.Update(nil)
	// Output:
	// 10.0.0.1:80
	// 10.0.0.2:80
}
