package proxy_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

func TestSmoke(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Header)
	}))
	defer app.Close()
	pool, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{Retry: proxy.Retry{Attempts: 3, Budget: .2, BudgetMin: 10}})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: app.Listener.Addr().String()}, {Addr: "127.0.0.1:1"}})
	p, _ := proxy.New(proxy.Options{Via: "goodgate", Routes: []proxy.Route{{Pool: pool}}, Observe: []func(*proxy.Record){proxy.Log(slog.New(slog.NewJSONHandler(os.Stdout, nil)))}})
	front := httptest.NewServer(p)
	defer front.Close()
	for range 5 {
		res, err := http.Get(front.URL + "/x?a=1;b")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		t.Log(res.Status, res.Header, string(b))
	}
}
