package proxy_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// TestOverloadCountsWaitingRequests: streams and uploads, many more than an upstream has
// workers, take no places while their pool is limited.
func TestOverloadCountsWaitingRequests(t *testing.T) {
	const workers, takes = 10, 50 * time.Millisecond
	bubble(t, setup{
		balancer:  balancer.Options{Protect: true},
		pool:      proxy.PoolOptions{Queue: proxy.Queue{MaxRequests: 1000}, Hold: proxy.Hold{For: time.Second, MaxRequests: 1000}},
		upstreams: []balancer.Spec{{Addr: "app:80"}},
	}, func(w *world) {
		free := make(chan struct{}, workers)
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/events":
				rw.(http.Flusher).Flush()
				<-r.Context().Done()
			case "/upload":
				io.Copy(io.Discard, r.Body)
			default:
				free <- struct{}{}
				time.Sleep(takes)
				<-free
			}
		})
		ctx, cancel := context.WithCancel(w.tb.Context())
		defer cancel()
		var clients sync.WaitGroup
		defer clients.Wait()
		for range 50 {
			clients.Go(func() { w.do(w.request("GET", "/events", nil).WithContext(ctx)) })
			body, sends := io.Pipe()
			defer sends.Close()
			clients.Go(func() { sends.Write([]byte("some of it")) })
			clients.Go(func() { w.do(w.request("POST", "/upload", body)) })
		}
		var served, refused atomic.Int64
		load := func(last time.Duration, perSecond int) {
			served.Store(0)
			refused.Store(0)
			for range int(last.Seconds() * float64(perSecond)) {
				time.Sleep(time.Second / time.Duration(perSecond))
				clients.Go(func() {
					switch w.get().status {
					case http.StatusOK:
						served.Add(1)
					case http.StatusServiceUnavailable:
						refused.Add(1)
					}
				})
			}
		}
		load(2*time.Second, 100)
		if n := w.pool.Places(); n != 0 || refused.Load() > 0 {
			t.Errorf("with room for all: %d places, %d refused", n, refused.Load())
		}
		load(3*time.Second, 500) // of 200
		if n := w.pool.Places(); n == 0 || n > 3*workers {
			t.Errorf("in the overload: %d places, want about %d", n, workers)
		}
		load(2*time.Second, 500)
		if served.Load() < 320 || refused.Load() < 320 {
			t.Errorf("in the overload: %d served of 400 possible, %d refused of 600", served.Load(), refused.Load())
		}
		load(6*time.Second, 100)
		if n := w.pool.Places(); n != 0 {
			t.Errorf("after it: %d places, want no limit", n)
		}
		cancel()
	})
}
