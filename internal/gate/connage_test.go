package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// An HTTP/2 connection that has reached its age ends with the next answer.
func TestConnsEndAtAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{
			ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return ctx },
			Handler:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		}
		endConns(s, 10*time.Second, 0)
		ctx := s.ConnContext(t.Context(), nil)
		closes := func() string {
			w := httptest.NewRecorder()
			s.Handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
			return w.Header().Get("Connection")
		}
		time.Sleep(9*time.Second - time.Nanosecond)
		if got := closes(); got != "" {
			t.Errorf("after 9 s: Connection: %q, want none", got)
		}
		time.Sleep(time.Second + time.Nanosecond)
		if got := closes(); got != "close" {
			t.Errorf("after 10 s: Connection: %q, want close", got)
		}
	})
}

// An HTTP/2 connection ends with the answer to its last allowed request, and each
// connection counts its own.
func TestConnsEndAfterRequests(t *testing.T) {
	t.Parallel()
	s := &http.Server{
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return ctx },
		Handler:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}
	endConns(s, 0, 3)
	for range 2 {
		ctx := s.ConnContext(t.Context(), nil)
		for n := 1; n <= 4; n++ {
			w := httptest.NewRecorder()
			s.Handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
			if got, want := w.Header().Get("Connection") == "close", n >= 3; got != want {
				t.Errorf("request %d: Connection: close is %v, want %v", n, got, want)
			}
		}
	}
}

// Under load nothing fails while connections on both sides end after a few requests, and
// no connection gets more than its number.
func TestRequestsPerConnection(t *testing.T) {
	t.Parallel()
	const workers, each, ofClient, ofUpstream = 8, 60, 7, 5
	for name, protocol := range map[string]string{"HTTP/1.1": "http1", "HTTP/2": "h2c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type connKey struct{}
			var mu sync.Mutex
			var asked []*atomic.Int64 // of each connection that goodgate made; ports repeat
			app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Context().Value(connKey{}).(*atomic.Int64).Add(1)
				io.Copy(w, r.Body)
			}))
			app.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
				requests := new(atomic.Int64)
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, requests)
				return context.WithValue(ctx, connKey{}, requests)
			}
			app.Config.Protocols = new(http.Protocols)
			app.Config.Protocols.SetHTTP1(true)
			app.Config.Protocols.SetUnencryptedHTTP2(true)
			app.Start()
			defer app.Close()
			g := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http2: {cleartext: true}, requests_per_connection: %d}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q], protocol: %s, requests_per_connection: %d, health: {type: none}}}`, ofClient, app.URL, protocol, ofUpstream)), Options{})
			var dialed atomic.Int64
			tr := &http.Transport{MaxIdleConnsPerHost: workers, Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				dialed.Add(1)
				return new(net.Dialer).DialContext(ctx, network, addr)
			}}
			defer tr.CloseIdleConnections()
			tr.Protocols.SetHTTP1(protocol == "http1")
			tr.Protocols.SetUnencryptedHTTP2(protocol != "http1")
			client := &http.Client{Transport: tr}
			var wg sync.WaitGroup
			for worker := range workers {
				wg.Go(func() {
					for n := range each {
						body := fmt.Sprint(worker, n)
						res, err := client.Post("http://"+g.addrs[0]+"/", "text/plain", strings.NewReader(body))
						if err != nil {
							t.Error(err)
							return
						}
						got, err := io.ReadAll(res.Body)
						res.Body.Close()
						if err != nil || string(got) != body || res.StatusCode != 200 {
							t.Errorf("got %s %q, %v, want 200 %q", res.Status, got, err, body)
						}
					}
				})
			}
			wg.Wait()
			if n := dialed.Load(); n < workers*each/(ofClient*workers) {
				t.Errorf("the clients made %d connections", n)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, requests := range asked {
				if n := requests.Load(); n > ofUpstream {
					t.Errorf("a connection got %d requests, want %d at most", n, ofUpstream)
				}
			}
			if len(asked) < workers*each/ofUpstream {
				t.Errorf("goodgate made %d connections for %d requests", len(asked), workers*each)
			}
		})
	}
}

// The limits hold for HTTP/3 too. A client repeats a request that crosses the GOAWAY, because
// the server has rejected it unprocessed.
func TestRequestsPerHTTP3Connection(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(app.Close)
	ca := certtest.NewAuthority(t, "authority")
	cert, key := ca.Files(t.TempDir(), "site", ca.Issue("127.0.0.1"))
	for name, limit := range map[string]string{"requests": "requests_per_connection: 1", "age": "timeouts: {connection_age: 1s}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http3: {enabled: true}, %s, tls: {certificates: [{cert: %q, key: %q}]}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q], health: {type: none}}}`, limit, cert, key, app.URL)), Options{})
			dialed := 0
			tr := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, Dial: func(ctx context.Context, addr string, t *tls.Config, c *quic.Config) (*quic.Conn, error) {
				dialed++
				return quic.DialAddrEarly(ctx, addr, t, c)
			}}
			defer tr.Close()
			client := &http.Client{Transport: tr, Timeout: 10 * time.Second}
			for end := time.Now().Add(30 * time.Second); dialed < 3; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d connections after half a minute of requests", dialed)
				}
				res, err := client.Get("https://" + r.addrs[0] + "/")
				if refused, ok := errors.AsType[*http3.Error](err); ok && (refused.ErrorCode == http3.ErrCodeRequestRejected || refused.ErrorCode == http3.ErrCodeNoError) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || string(body) != "hello" {
					t.Errorf("got %q, %v", body, err)
				}
			}
		})
	}
}
