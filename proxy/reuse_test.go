package proxy_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/inbound"
	"github.com/goodgate/goodgate/proxy"
)

// manyKinds is an application whose answers say which request they are for.
func manyKinds(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/broken") {
		panic(http.ErrAbortHandler)
	}
	says := r.URL.Path + " " + r.Header.Get("X-Request-Id") + " " + r.Header.Get("X-Forwarded-Host") + "\n"
	var body []byte
	if !strings.HasPrefix(r.URL.Path, "/early") {
		body, _ = io.ReadAll(r.Body)
	}
	switch strings.Split(r.URL.Path, "/")[1] {
	case "slow": // longer than an exchange waits before it minds the end of its context
		time.Sleep(8 * time.Millisecond)
	case "chunked":
		io.WriteString(w, says)
		w.(http.Flusher).Flush()
		return
	case "large":
		says += strings.Repeat("x", 100<<10)
	case "close":
		w.Header().Set("Connection", "close")
	case "unavailable":
		w.WriteHeader(503)
	}
	io.WriteString(w, says+string(body))
}

// keeper copies records, as an observer may, and looks at them later.
type keeper struct {
	mu       sync.Mutex // protects the fields below
	records  []proxy.Record
	attempts [][]proxy.Attempt      // of each, as they were
	seen     map[*proxy.Record]bool // which keeps their memory from being used for others but by goodgate
}

func (k *keeper) observe(r *proxy.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, *r)
	k.attempts = append(k.attempts, slices.Clone(r.Attempts))
	k.seen[r] = true
}

func (k *keeper) check(t *testing.T) {
	for i, r := range k.records {
		if !reflect.DeepEqual(r.Attempts, k.attempts[i]) {
			t.Errorf("the attempts of %s were %+v, and now are %+v", r.Path, k.attempts[i], r.Attempts)
		}
		if !strings.HasSuffix(r.Path, "/"+r.ID) {
			t.Errorf("the record of %s is that of %s", r.Path, r.ID)
		}
	}
	if reused := len(k.records) - len(k.seen); reused < 50 { // of about 300 plain requests; the race detector's sync.Pool drops some
		t.Errorf("only %d of %d requests took room that was there", reused, len(k.records))
	}
}

// TestReuseUnderStress: the room of exchanges is used again while others of all
// kinds are under way, and no request sees anything of another.
func TestReuseUnderStress(t *testing.T) {
	t.Parallel()
	kept := keeper{seen: map[*proxy.Record]bool{}}
	s := setup{upstreams: specs("app:80")}
	s.pool.Retry = proxy.Retry{Attempts: 2, Statuses: []int{503}, Budget: 1, BudgetMin: 1000, MaxBody: 64 << 10}
	s.pool.Timeouts = proxy.Timeouts{ResponseHeader: time.Minute, Idle: time.Minute}
	s.pool.Commit.Buffer = 64 << 10
	s.pool.MaxIdleConns = 100
	s.proxy.Trusted, s.proxy.Via = prefixes("127.0.0.0/8"), "goodgate"
	s.proxy.Listener = proxy.Listener{BodyIdle: time.Minute, WriteIdle: time.Minute}
	s.proxy.Observe = []func(*proxy.Record){kept.observe}
	bubble(t, s, func(w *world) {
		w.app("app:80", manyKinds)
		w.inbound("own:80")
		var wg sync.WaitGroup
		for i := range 8 {
			front := []string{"own:80", "front:80"}[i%2] // net/http's may write a header after its handler has returned, too
			wg.Go(func() { askManyKinds(t, w, front, i) })
		}
		wg.Wait()
	})
	kept.check(t)
}

// inbound serves the proxy by goodgate's own server.
func (w *world) inbound(addr string) {
	l, err := w.net.Listen(addr)
	if err != nil {
		w.tb.Fatal(err)
	}
	srv := inbound.New(inbound.Options{Handler: w.proxy, Base: context.Background()})
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	w.tb.Cleanup(func() {
		l.Close()
		srv.Close()
		wg.Wait()
	})
}

// askManyKinds sends requests of all kinds by connections of its own.
func askManyKinds(t *testing.T, w *world, front string, client int) {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.net.DialContext(ctx, "tcp", front) }}
	defer tr.CloseIdleConnections()
	kinds := []string{"plain", "plain", "chunked", "plain", "slow", "plain", "large", "plain", "post", "close", "plain", "gone", "early", "plain", "gone", "unavailable", "broken"}
	for n := range 100 {
		kind := kinds[(n+client)%len(kinds)]
		askKind(t, tr, front, kind, fmt.Sprintf("%s-%d-%d", kind, client, n))
	}
}

// askKind sends one request and looks whether the answer is its own.
func askKind(t *testing.T, tr http.RoundTripper, front, kind, id string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	method, body, path, host := "GET", "", "/"+kind+"/"+id, id+".example"
	switch kind {
	case "post":
		method, body = "POST", "body of "+id
	case "early":
		method, body = "POST", strings.Repeat("x", 300<<10)
	case "gone": // before, while or after it is answered
		path = "/slow/" + id
		time.AfterFunc(time.Duration(2+rand.IntN(10))*time.Millisecond, cancel)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+front+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	r.Host = host
	r.Header.Set("X-Request-Id", id)
	res, err := tr.RoundTrip(r)
	if err != nil {
		if kind != "gone" && kind != "early" {
			t.Errorf("%s: %v", path, err)
		}
		return
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if kind == "gone" || kind == "early" {
		return
	}
	want := path + " " + id + " " + host + "\n"
	if kind == "broken" {
		want = "" // the answer is goodgate's
	}
	if err != nil || !strings.HasPrefix(string(got), want) || !strings.HasSuffix(string(got), body) {
		t.Errorf("%s: got %.200q, %v; want %q", path, got, err, want)
	}
	if ids := res.Header["X-Request-Id"]; len(ids) != 1 || ids[0] != id {
		t.Errorf("%s: X-Request-Id is %q", path, ids)
	}
}
