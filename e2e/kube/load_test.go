package kube_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// pod is an application at 10.77.0.number:8080, or at another address.
type pod struct {
	name string
	word chan struct{} // slow answers end when it is closed
}

func startPod(t *testing.T, number int) *pod {
	t.Helper()
	return startPodAt(t, fmt.Sprint(number), fmt.Sprintf("10.77.0.%d:8080", number))
}

func startPodAt(t *testing.T, name, address string) *pod {
	t.Helper()
	p := &pod{name: name, word: make(chan struct{})}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: p}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return p
}

func (p *pod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Pod", p.name)
	if r.URL.Path == "/slow" {
		io.WriteString(w, "begun ")
		http.NewResponseController(w).Flush()
		<-p.word
	}
	io.WriteString(w, "done")
}

// load is requests at 100 a second.
type load struct {
	t          *testing.T
	stop, done chan struct{}

	mu     sync.Mutex // protects those below
	by     map[string]int
	total  int
	failed []string
}

func startLoad(g *gate) *load {
	l := &load{t: g.t, stop: make(chan struct{}), done: make(chan struct{}), by: map[string]int{}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20}, Timeout: 20 * time.Second}
	go func() {
		defer close(l.done)
		defer client.CloseIdleConnections()
		var requests sync.WaitGroup
		defer requests.Wait()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-l.stop:
				return
			case <-tick.C:
				requests.Go(func() { l.add(get(client, "http://"+g.address+"/")) })
			}
		}
	}()
	g.t.Cleanup(func() { l.finish() })
	return l
}

func get(client *http.Client, url string) (by string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != 200 || string(body) != "done") {
		err = fmt.Errorf("%s: %q", response.Status, body)
	}
	return response.Header.Get("X-Pod"), err
}

func (l *load) add(by string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	l.by[by]++
	if err != nil {
		l.failed = append(l.failed, err.Error())
	}
}

func (l *load) count(by string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[by]
}

// until waits for more answers of a pod.
func (l *load) until(p *pod) {
	l.t.Helper()
	before := l.count(p.name)
	waitFor(l.t, "an answer of "+p.name, func() bool { return l.count(p.name) > before })
}

// without checks that 50 requests avoid an upstream. Those in flight may still be
// answered.
func (l *load) without(p *pod) {
	l.t.Helper()
	all := func() int { l.mu.Lock(); defer l.mu.Unlock(); return l.total }
	const underWay = 20
	begin := all()
	waitFor(l.t, "requests under way", func() bool { return all() >= begin+underWay })
	before, begin := l.count(p.name), all()
	waitFor(l.t, "50 requests", func() bool { return all() >= begin+50 })
	if n := l.count(p.name) - before; n > 0 {
		l.t.Errorf("%s has answered %d of 50 requests, want none", p.name, n)
	}
}

// finish checks that no request has failed.
func (l *load) finish() {
	l.t.Helper()
	select {
	case <-l.done:
		return
	default:
	}
	close(l.stop)
	<-l.done
	if len(l.failed) > 0 {
		l.t.Errorf("%d of %d requests failed: %q", len(l.failed), l.total, l.failed[:min(len(l.failed), 10)])
	}
	l.t.Logf("%d requests, %d failed; answers by pod: %v", l.total, len(l.failed), l.by)
}

// begin sends a request with a slow answer, and returns a channel for the result.
func (g *gate) begin(p *pod) <-chan error {
	g.t.Helper()
	for range 50 {
		response, err := http.Get("http://" + g.address + "/slow")
		if err != nil {
			g.t.Fatal(err)
		}
		if response.Header.Get("X-Pod") != p.name {
			response.Body.Close()
			continue
		}
		ended := make(chan error, 1)
		go func() {
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err == nil && string(body) != "begun done" {
				err = fmt.Errorf("the body is %q", body)
			}
			ended <- err
		}()
		return ended
	}
	g.t.Fatalf("50 requests, and none went to %s", p.name)
	return nil
}
