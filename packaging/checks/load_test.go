package checks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// startApp starts an application on a port of the tests' own network.
func startApp(t *testing.T, address string) {
	l, err := net.Listen("tcp", address)
	must(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, "the application")
	})}
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	t.Cleanup(func() { s.Close(); wg.Wait() })
}

// pace is the pause between two requests of a client. A load on all processors would
// slow down the package manager.
const pace = 5 * time.Millisecond

// load sends requests until it is stopped, over kept and new connections.
type load struct {
	stop   chan struct{}
	wg     sync.WaitGroup
	done   atomic.Int64
	mu     sync.Mutex
	failed []string
}

func startLoad(t *testing.T, url string) *load {
	l := &load{stop: make(chan struct{})}
	for i := range 8 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}, Timeout: bound}
		method := http.MethodGet
		if i%4 < 2 {
			method = http.MethodPost
		}
		l.wg.Go(func() {
			defer client.CloseIdleConnections()
			next := time.NewTicker(pace)
			defer next.Stop()
			for {
				select {
				case <-l.stop:
					return
				case <-next.C:
					l.one(client, method, url)
				}
			}
		})
	}
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) one(client *http.Client, method, url string) {
	defer l.done.Add(1)
	req, err := http.NewRequest(method, url, strings.NewReader("x"))
	if err != nil {
		l.fail(err.Error())
		return
	}
	res, err := client.Do(req)
	if err != nil {
		l.fail(err.Error())
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != 200 || err != nil || string(body) != "the application\n" {
		l.fail(fmt.Sprintf("%s: %s %v %q", method, res.Status, err, body))
	}
}

func (l *load) fail(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, text)
}

// more waits until n more requests have ended.
func (l *load) more(n int64) bool {
	goal := l.done.Load() + n
	return eventually(func() bool { return l.done.Load() >= goal })
}

// end stops the load, and returns the number of requests and the failures.
func (l *load) end() (int64, []string) {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wg.Wait()
	return l.done.Load(), l.failed
}
