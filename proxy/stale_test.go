package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// http.Transport does not repeat methods such as DELETE by itself. With them, an upstream
// whose idle connections were all dead used up every attempt of a request, since none
// counted as having tried it, although another upstream was available.
func TestStaleConnectionsDoNotUseUpTheAttempts(t *testing.T) {
	const connections = 10
	var dead atomic.Bool
	var together sync.WaitGroup // so that each request gets its own connection
	together.Add(connections)
	stale := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if dead.Load() {
			panic(http.ErrAbortHandler)
		}
		together.Done()
		together.Wait()
	}))
	defer stale.Close()
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer good.Close()

	pool, err := proxy.NewPool(balancer.Options{Name: "app", Policy: "first"}, proxy.PoolOptions{Retry: proxy.Retry{Attempts: 3, Budget: 0.2, BudgetMin: 10}})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: stale.Listener.Addr().String()}, {Addr: good.Listener.Addr().String()}})
	defer pool.Update(nil)
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Pool: pool}}})
	if err != nil {
		t.Fatal(err)
	}
	request := func() int {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/", nil))
		return w.Code
	}
	var warm sync.WaitGroup
	for range connections {
		warm.Go(func() { request() })
	}
	warm.Wait()
	dead.Store(true)
	if got := request(); got != http.StatusOK {
		t.Errorf("got status %d with a good upstream left, want 200", got)
	}
}
