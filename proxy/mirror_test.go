package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// mirrored runs f in worlds of both relays, with a route that mirrors to the pool v2.
// other serves the upstream of that pool.
func mirrored(t *testing.T, l proxy.MirrorLimits, change func(s *setup, m *proxy.Mirror), other http.HandlerFunc, f func(t *testing.T, w *world, m *proxy.Mirror)) {
	for _, front := range []string{"inbound", "inbound-httputil"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			synctestBubble(t, func(t *testing.T) {
				var w *world
				v2, err := proxy.NewPool(balancer.Options{Name: "v2", Policy: "first"}, proxy.PoolOptions{Dial: later(&w), Commit: proxy.Commit{Buffer: 1 << 10}})
				if err != nil {
					t.Fatal(err)
				}
				v2.Update(specs("v2:80"))
				s := setup{front: front, upstreams: specs("app:80")}
				s.pool.Commit.Buffer, s.pool.Retry.MaxBody = 1<<10, 1<<10
				s.route.Name = "shop"
				m := &proxy.Mirror{Pool: v2, Share: 1, MaxBody: 1 << 10, Headers: []string{"X-Kind"}, Work: proxy.NewMirrorWork(l)}
				s.route.Mirror = m
				if change != nil {
					change(&s, m)
				}
				w = start(t, s)
				w.inBubble = true
				w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Goodgate-Mirror") != "" && r.URL.Path != "/marked" {
						t.Error("the client's own request has the mark")
					}
					body, _ := io.ReadAll(r.Body)
					rw.Header().Set("X-Kind", "a")
					fmt.Fprintf(rw, "%s %s", r.URL.Path, body)
				})
				w.app("v2:80", other)
				t.Cleanup(func() { v2.Update(nil) })
				t.Cleanup(m.Work.Close)
				f(t, w, m)
			})
		})
	}
}

// same gives the same answers as the main application.
func same(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rw.Header().Set("X-Kind", "a")
	fmt.Fprintf(rw, "%s %s", r.URL.Path, body)
}

// sums renders the counts of a report.
func sums(m *proxy.Mirror) string {
	synctest.Wait()
	r := m.Work.Report()
	return fmt.Sprintf("sent %d same %d different %d %v failed %d dropped %v held %d", r.Sent, r.Same, r.Different, r.By, r.Failed, r.Dropped, r.Held)
}

func TestMirrorSame(t *testing.T) {
	t.Parallel()
	mirrored(t, proxy.MirrorLimits{}, func(_ *setup, m *proxy.Mirror) { m.Methods = []string{"GET", "POST"} }, func(rw http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Goodgate-Mirror"); got != "shop" || r.Host != "example.com" || r.Header.Get("X-Forwarded-For") == "" {
			t.Errorf("the mirrored request has mark %q, host %q, %v", got, r.Host, r.Header)
		}
		same(rw, r)
	}, func(t *testing.T, w *world, m *proxy.Mirror) {
		check(t, "answer", w.get().body, "/ ")
		check(t, "after one", sums(m), "sent 1 same 1 different 0 map[] failed 0 dropped map[] held 0")
		check(t, "with a body", w.send("POST", "/x", strings.NewReader("hello")).body, "/x hello")
		check(t, "after two", sums(m), "sent 2 same 2 different 0 map[] failed 0 dropped map[] held 0")
		check(t, "too large a body", w.send("POST", "/x", strings.NewReader(strings.Repeat("x", 2000))).status, 200)
		check(t, "after it", sums(m), "sent 2 same 2 different 0 map[] failed 0 dropped map[body:1] held 0")
		r := w.request("GET", "/marked", nil)
		r.Header.Set("Goodgate-Mirror", "other")
		w.do(r)
		w.send("DELETE", "/", nil)
		check(t, "what is mirrored already, and what has another method", sums(m), "sent 2 same 2 different 0 map[] failed 0 dropped map[body:1] held 0")
	})
}

func TestMirrorDifferent(t *testing.T) {
	t.Parallel()
	mirrored(t, proxy.MirrorLimits{}, nil, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Kind", map[bool]string{true: "a", false: "b"}[r.URL.Path == "/body"])
		if r.URL.Path == "/status" {
			rw.WriteHeader(500)
		}
		io.WriteString(rw, "other")
	}, func(t *testing.T, w *world, m *proxy.Mirror) {
		w.send("GET", "/status", nil)
		check(t, "all", sums(m), "sent 1 same 0 different 1 map[X-Kind:1 body:1 status:1] failed 0 dropped map[] held 0")
		w.send("GET", "/body?secret", nil)
		check(t, "the body", sums(m), "sent 2 same 0 different 2 map[X-Kind:1 body:2 status:1] failed 0 dropped map[] held 0")
		s := m.Work.Report().Samples
		if len(s) != 2 || s[0].Path != "/body" || s[0].Says != "body of 6 bytes, here another of 5" || s[1].Says != `status 200, here 500; X-Kind "a", here "b"; body of 8 bytes, here another of 5` || s[0].ID == "" {
			t.Errorf("samples: %+v", s)
		}
	})
}

// TestMirrorHasNoEffect: a mirror that hangs or is down has no effect on clients.
func TestMirrorHasNoEffect(t *testing.T) {
	t.Parallel()
	mirrored(t, proxy.MirrorLimits{Requests: 2}, func(_ *setup, m *proxy.Mirror) { m.Timeout = time.Minute }, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}, func(t *testing.T, w *world, m *proxy.Mirror) {
		began := time.Now()
		for range 5 {
			check(t, "answer", w.get().body, "/ ")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("five requests took %s", took)
		}
		synctest.Wait()
		if r := m.Work.Report(); r.Running != 2 || r.Dropped[proxy.DroppedBusy] != 3 || r.Held < 48<<10 {
			t.Errorf("while it hangs: %+v", r)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if r := m.Work.Report(); r.Running != 0 || r.Failed != 2 || r.Held != 0 || w.pool.BudgetLeft() < 0 {
			t.Errorf("after its time: %+v", r)
		}
		w.get()
		synctest.Wait()
		m.Work.Close()
		check(t, "closed", m.Work.Report().Running, 0)
		check(t, "answer after it was closed", w.get().body, "/ ")
	})
	mirrored(t, proxy.MirrorLimits{}, func(_ *setup, m *proxy.Mirror) { m.Pool.Update(specs("gone:80")) }, same, func(t *testing.T, w *world, m *proxy.Mirror) {
		check(t, "answer", w.get().body, "/ ")
		check(t, "nobody there", sums(m), "sent 1 same 0 different 0 map[] failed 1 dropped map[] held 0")
		rec := w.record()
		if len(rec.Attempts) != 1 || rec.Reason.String() != "none" || rec.Pool != "app" {
			t.Errorf("the client's record: %+v", rec)
		}
	})
}

func TestMirrorBounds(t *testing.T) {
	t.Parallel()
	mirrored(t, proxy.MirrorLimits{Memory: 1000}, nil, same, func(t *testing.T, w *world, m *proxy.Mirror) {
		w.get()
		check(t, "memory", sums(m), "sent 0 same 0 different 0 map[] failed 0 dropped map[memory:1] held 0")
	})
	mirrored(t, proxy.MirrorLimits{PerSecond: 1}, nil, same, func(t *testing.T, w *world, m *proxy.Mirror) {
		w.get()
		w.get()
		check(t, "rate", sums(m), "sent 1 same 1 different 0 map[] failed 0 dropped map[rate:1] held 0")
	})
	mirrored(t, proxy.MirrorLimits{}, func(_ *setup, m *proxy.Mirror) { m.Share = 0 }, same, func(t *testing.T, w *world, m *proxy.Mirror) {
		w.get()
		check(t, "no share", sums(m), "sent 0 same 0 different 0 map[] failed 0 dropped map[] held 0")
	})
}

// TestMirrorOutlivesTheClient: a mirrored request continues after its client has left.
func TestMirrorOutlivesTheClient(t *testing.T) {
	t.Parallel()
	mirrored(t, proxy.MirrorLimits{}, nil, func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		same(rw, r)
	}, func(t *testing.T, w *world, m *proxy.Mirror) {
		w.get()
		w.client.CloseIdleConnections()
		time.Sleep(2 * time.Second)
		check(t, "after the client has left", sums(m), "sent 1 same 1 different 0 map[] failed 0 dropped map[] held 0")
	})
}
