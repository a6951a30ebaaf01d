package proxy

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	"github.com/goodgate/goodgate/internal/wire/pipe"
)

// passage is a proxy on real sockets, which support splice.
type passage struct {
	proxy   *Proxy
	addr    string
	records chan Record
	passed  atomic.Int64 // bytes that came to a client's socket by a pipe
}

// passWriter counts the bytes passed on through pipes.
type passWriter struct {
	inbound.ResponseWriter
	to     pipeWriter
	passed *atomic.Int64
}

func (w *passWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *passWriter) Piped() bool                 { return w.to.Piped() }

func (w *passWriter) Drain(p *pipe.Pipe) error {
	w.passed.Add(int64(p.Len()))
	return w.to.Drain(p)
}

func newPassage(t *testing.T, l Listener, upstreams ...http.Handler) *passage {
	t.Helper()
	pool, err := NewPool(balancer.Options{Name: "app"}, PoolOptions{
		Commit: Commit{Buffer: 64 << 10, Resume: true}, Retry: Retry{Attempts: 3, Budget: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	var specs []balancer.Spec
	for _, h := range upstreams {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		specs = append(specs, balancer.Spec{Addr: srv.Listener.Addr().String()})
	}
	pool.Update(specs)
	s := &passage{records: make(chan Record, 10)}
	s.proxy, err = New(Options{Routes: []Route{{Pool: pool}}, Listener: l, Observe: []func(*Record){func(r *Record) {
		c := *r
		c.Attempts = append([]Attempt(nil), r.Attempts...)
		s.records <- c
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := inbound.New(inbound.Options{Base: t.Context(), Serve: func(w inbound.ResponseWriter, r *Request) {
		s.proxy.ServeRequest(&passWriter{w, w.(pipeWriter), &s.passed}, r, l)
	}})
	var wg sync.WaitGroup
	wg.Go(func() { front.Serve(ln) })
	t.Cleanup(func() {
		ln.Close()
		front.Close()
		wg.Wait()
	})
	s.addr = ln.Addr().String()
	return s
}

func noisy(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{})
	rng.Read(b)
	return b
}

// file serves b with ranges. cut > 0 ends the connection after that many bytes of a whole
// answer.
func file(b []byte, cut int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"same"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Type", "application/octet-stream")
		if cut > 0 && r.Header.Get("Range") == "" {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			w.Write(b[:cut])
			http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond) // so that the written bytes are read before the end is seen
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	})
}

// TestPass: large bodies reach the client complete and without copies, by both relays, on
// persistent connections, and the record is correct.
func TestPass(t *testing.T) {
	for _, size := range []int{70_000, 1 << 20, 5_000_001} {
		b := noisy(size)
		s := newPassage(t, Listener{WriteIdle: time.Minute, BodyIdle: time.Minute}, file(b, 0))
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		for _, upgrade := range []string{"", "", "none", "none"} { // a request with one goes by httputil
			ask, err := http.NewRequest("GET", "http://"+s.addr+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if upgrade != "" {
				ask.Header.Set("Upgrade", upgrade)
			}
			s.passed.Store(0)
			res, err := (&http.Client{Transport: tr}).Do(ask)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || crc32.ChecksumIEEE(got) != crc32.ChecksumIEEE(b) {
				t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
			}
			if r := <-s.records; r.Sent != int64(size) || r.Reason != reason.None || r.Status != 200 {
				t.Errorf("%d bytes: record: %d sent, %v, %d", size, r.Sent, r.Reason, r.Status)
			}
			if n := s.passed.Load(); runtime.GOOS == "linux" && size >= 1<<20 && n < int64(size)/2 {
				t.Errorf("%d bytes, upgrade %q: %d came by a pipe, want most", size, upgrade, n)
			}
		}
		if p := s.proxy.pipes.Get(); p == nil {
			t.Error("no pipe is left")
		} else {
			s.proxy.pipes.Put(p)
		}
	}
}

// TestPassResumes: a body that breaks off while it is passed on is completed from another
// upstream.
func TestPassResumes(t *testing.T) {
	b := noisy(2 << 20)
	s := newPassage(t, Listener{WriteIdle: time.Minute}, file(b, 1<<20), file(b, 1<<20))
	res, err := http.Get("http://" + s.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if r := <-s.records; r.Reason != reason.None || len(r.Attempts) != 2 || r.Attempts[0].Reason != reason.ResponseTruncated || r.Sent != int64(len(b)) {
		t.Errorf("record: %+v", r)
	}
}

// TestPassCut: a body that cannot be completed breaks off for the client.
func TestPassCut(t *testing.T) {
	b := noisy(2 << 20)
	cut := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:1<<20])
		panic(http.ErrAbortHandler)
	})
	s := newPassage(t, Listener{WriteIdle: time.Minute}, cut)
	res, err := http.Get("http://" + s.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err == nil || len(got) > 1<<20 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if r := <-s.records; r.Reason != reason.ResponseTruncated || r.Sent > 1<<20 {
		t.Errorf("record: %v, %d sent", r.Reason, r.Sent)
	}
}

// TestPassClient: clients that leave, that read nothing, and that read slowly but fast
// enough.
func TestPassClient(t *testing.T) {
	const size = 16 << 20 // more than the sockets hold
	b := noisy(size)
	ask := func(s *passage) net.Conn {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetReadBuffer(64 << 10)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		return c
	}
	t.Run("leaves", func(t *testing.T) {
		s := newPassage(t, Listener{WriteIdle: time.Minute}, file(b, 0))
		c := ask(s)
		io.CopyN(io.Discard, c, 1<<20)
		c.Close()
		if r := <-s.records; r.Reason != reason.ClientGone || r.Attempts[0].Reason.Fault() == reason.FaultUpstream {
			t.Errorf("got %v, the upstream is said to have %v", r.Reason, r.Attempts[0].Reason)
		}
	})
	t.Run("takes nothing", func(t *testing.T) {
		s := newPassage(t, Listener{WriteIdle: 200 * time.Millisecond}, file(b, 0))
		c := ask(s)
		defer c.Close()
		if r := <-s.records; r.Reason != reason.ClientGone || r.Sent == size {
			t.Errorf("got %v after %d bytes", r.Reason, r.Sent)
		}
	})
	t.Run("takes its time", func(t *testing.T) {
		s := newPassage(t, Listener{WriteIdle: 1500 * time.Millisecond}, file(b, 0))
		c := ask(s)
		defer c.Close()
		sum, part := crc32.NewIEEE(), make([]byte, 256<<10)
		head := true
		for n := 0; n < size; {
			m, err := c.Read(part)
			if err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			p := part[:m]
			if head {
				_, body, ok := strings.Cut(string(p), "\r\n\r\n")
				if !ok {
					t.Fatal("the header did not come in one piece")
				}
				p, head = []byte(body), false
			}
			sum.Write(p)
			n += len(p)
			time.Sleep(10 * time.Millisecond)
		}
		if r := <-s.records; r.Reason != reason.None || sum.Sum32() != crc32.ChecksumIEEE(b) {
			t.Errorf("got %v and other bytes: %v", r.Reason, sum.Sum32() != crc32.ChecksumIEEE(b))
		}
	})
}
