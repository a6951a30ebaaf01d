package proxy_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

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

// store stands for a store that several processes share. It counts a minute's requests of
// each key.
type store struct {
	mu     sync.Mutex // protects counts
	counts map[uint64]int
}

// Allow implements [proxy.RateLimiter].
func (s *store) Allow(key uint64, now time.Time) proxy.RateVerdict {
	const limit = 2
	s.mu.Lock()
	defer s.mu.Unlock()
	left := time.Minute - now.Sub(now.Truncate(time.Minute))
	if s.counts[key] == limit {
		return proxy.RateVerdict{Reset: left, Retry: left}
	}
	s.counts[key]++
	return proxy.RateVerdict{OK: true, Remaining: limit - s.counts[key], Reset: left}
}

// Several processes can count the requests of a client together. Their keys must be equal,
// so they have the same hash function.
func ExampleRate_Share() {
	rate := proxy.NewRate(proxy.Rate{Name: "minute", PerSecond: 2.0 / 60, Burst: 2})
	rate.Share(&store{counts: map[uint64]int{}}, proxy.RateHash(func(text []byte) uint64 {
		h := fnv.New64a()
		h.Write(text)
		return h.Sum64()
	}).Header("X-Key"))
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Respond: &proxy.Respond{Status: 204}, Limits: &proxy.Limits{Rates: []*proxy.Rate{rate}}}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"one", "one", "one", "two"} {
		r := httptest.NewRequest(http.MethodGet, "http://shop.example/", nil)
		r.Header.Set("X-Key", key)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		fmt.Println(key, w.Code)
	}
	// Output:
	// one 204
	// one 204
	// one 429
	// two 204
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
