package proxy_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// split runs f in worlds of both relays, with a route between two pools. The upstreams
// answer with the name of their pool.
func split(t *testing.T, weights []float64, change func(s *setup, sp *proxy.Split), f func(t *testing.T, w *world, sp *proxy.Split)) {
	for _, front := range []string{"inbound", "inbound-httputil"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			synctestBubble(t, func(t *testing.T) {
				var w *world
				pool := func(name string) *proxy.Pool {
					p, err := proxy.NewPool(balancer.Options{Name: name, Policy: "first"}, proxy.PoolOptions{Dial: later(&w)})
					if err != nil {
						t.Fatal(err)
					}
					p.Update(specs(name + ":80"))
					return p
				}
				v1, v2 := pool("v1"), pool("v2")
				s := setup{front: front}
				s.route.Split = &proxy.Split{Sides: []proxy.Side{{Pool: v1}, {Pool: v2}}, Weights: proxy.NewWeights(weights), By: []proxy.HashOn{proxy.HashHeader("User")}}
				if change != nil {
					change(&s, s.route.Split)
				}
				w = start(t, s)
				w.inBubble = true
				for _, name := range []string{"v1", "v2"} {
					w.app(name+":80", func(rw http.ResponseWriter, r *http.Request) {
						fmt.Fprint(rw, name)
						if test := r.Header.Get("Test"); test != "" {
							fmt.Fprint(rw, " told "+test)
						}
					})
				}
				t.Cleanup(func() { v1.Update(nil); v2.Update(nil) })
				f(t, w, s.route.Split)
			})
		})
	}
}

// by sends a request with these fields, and returns the pool that answered.
func (w *world) by(fields ...string) string {
	r := w.request("GET", "/", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return w.do(r).body
}

func TestSplitKeepsClients(t *testing.T) {
	t.Parallel()
	split(t, []float64{50, 50}, nil, func(t *testing.T, w *world, _ *proxy.Split) {
		count := map[string]int{}
		for u := range 40 {
			first := w.by("User", fmt.Sprint(u))
			check(t, "the same client again", w.by("User", fmt.Sprint(u)), first)
			count[first]++
			if rec := w.record(); rec.Pool != first || rec.Split.Side != map[string]int32{"v1": 1, "v2": 2}[first] || rec.Split.Client == 0 || rec.Split.Chosen {
				t.Fatalf("the record has pool %s and %+v", rec.Pool, rec.Split)
			}
		}
		if count["v1"] < 5 || count["v2"] < 5 {
			t.Errorf("40 clients are split %v", count)
		}
		check(t, "without anything to tell it by", w.by(), "v1")
		check(t, "and so not by the weights", w.record().Split.Chosen, true)
	})
}

func TestSplitWeightsAtRunTime(t *testing.T) {
	t.Parallel()
	split(t, []float64{1, 0}, func(_ *setup, s *proxy.Split) { s.By = nil }, func(t *testing.T, w *world, sp *proxy.Split) {
		check(t, "before", w.by(), "v1")
		sp.Weights.Set([]float64{0, 1})
		check(t, "after", w.by(), "v2")
	})
}

func TestSplitCookie(t *testing.T) {
	t.Parallel()
	own := func(_ *setup, s *proxy.Split) {
		s.By, s.Cookie = nil, &proxy.SplitCookie{Name: "side", TTL: time.Hour}
	}
	split(t, []float64{50, 50}, own, func(t *testing.T, w *world, _ *proxy.Split) {
		for range 10 {
			first, c := w.with("")
			if c == nil {
				t.Fatal("no cookie")
			}
			check(t, "cookie", fmt.Sprintf("%s %s %t %t %d %d %d", c.Name, c.Path, c.HttpOnly, c.Secure, c.MaxAge, c.SameSite, len(c.Value)), "side / true false 3600 2 22")
			again, none := w.with("side=" + c.Value)
			check(t, "with its cookie", again, first)
			if none != nil {
				t.Errorf("a client that has the cookie got %s", none)
			}
		}
	})
}

func TestSplitOverride(t *testing.T) {
	t.Parallel()
	tester := &proxy.Override{Header: "Test", Cookie: "test"}
	split(t, []float64{1, 0}, func(_ *setup, s *proxy.Split) { s.Override = tester }, func(t *testing.T, w *world, _ *proxy.Split) {
		check(t, "by header", w.by("User", "a", "Test", "v2"), "v2 told v2")
		check(t, "is no evidence", w.record().Split.Chosen, true)
		check(t, "by cookie", w.by("User", "a", "Cookie", "test=v2"), "v2")
		check(t, "no such side", w.by("User", "a", "Test", "v3"), "v1 told v3")
		check(t, "another spelling", w.by("User", "a", "test_", "v2"), "v1")
	})
	closed := &proxy.Override{Header: "Test", Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	split(t, []float64{1, 0}, func(_ *setup, s *proxy.Split) { s.Override = closed }, func(t *testing.T, w *world, _ *proxy.Split) {
		check(t, "who may not", w.by("User", "a", "Test", "v2"), "v1")
	})
	split(t, []float64{1, 0}, nil, func(t *testing.T, w *world, _ *proxy.Split) {
		check(t, "not configured", w.by("User", "a", "Test", "v2"), "v1 told v2")
	})
}

// TestSplitWithoutUpstreams: a client stays on its side, unless Spill is set.
func TestSplitWithoutUpstreams(t *testing.T) {
	t.Parallel()
	out := func(p *proxy.Pool) {
		members := p.Members()
		members[0].SetOperator(balancer.Off)
	}
	split(t, []float64{0, 1}, nil, func(t *testing.T, w *world, sp *proxy.Split) {
		out(sp.Sides[1].Pool)
		r := w.request("GET", "/", nil)
		r.Header.Set("User", "a")
		check(t, "stays", w.do(r).status, 503)
	})
	split(t, []float64{0.001, 1}, func(_ *setup, s *proxy.Split) { s.Spill = true }, func(t *testing.T, w *world, sp *proxy.Split) {
		out(sp.Sides[1].Pool)
		check(t, "spills", w.by("User", "a"), "v1")
		if rec := w.record(); rec.Pool != "v1" || rec.Split.Side != 2 || !rec.Split.Spilled {
			t.Errorf("the record has pool %s and %+v", rec.Pool, rec.Split)
		}
	})
	split(t, []float64{0, 1}, func(_ *setup, s *proxy.Split) { s.Spill = true }, func(t *testing.T, w *world, sp *proxy.Split) {
		out(sp.Sides[1].Pool)
		r := w.request("GET", "/", nil)
		r.Header.Set("User", "a")
		check(t, "never to a side without weight", w.do(r).status, 503)
	})
	split(t, []float64{0, 0}, func(_ *setup, s *proxy.Split) { s.Spill = true }, func(t *testing.T, w *world, sp *proxy.Split) {
		check(t, "without any weight to the first side", w.by("User", "a"), "v1")
		if rec := w.record(); rec.Split.Side != 1 {
			t.Errorf("the record has %+v", rec.Split)
		}
	})
	split(t, []float64{0, 1}, func(_ *setup, s *proxy.Split) {
		s.Sides[1].Fallback = &proxy.Fallback{Pool: s.Sides[0].Pool}
	}, func(t *testing.T, w *world, sp *proxy.Split) {
		out(sp.Sides[1].Pool)
		check(t, "the side's fallback", w.by("User", "a"), "v1")
		check(t, "in the record", w.record().Fallback, "v1")
	})
}
