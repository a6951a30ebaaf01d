package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func startBackend(t *testing.T) *backend {
	t.Helper()
	b, err := newBackend("backend 1", newLedger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func switchTo(t *testing.T, b *backend, f Fault) {
	t.Helper()
	if err := b.set(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// wire is a connection to a backend, with a reader.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func connect(t *testing.T, b *backend) *wire {
	t.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return &wire{c, bufio.NewReader(c)}
}

// get returns the response or the error.
func (w *wire) get(path string) (*http.Response, error) {
	fmt.Fprintf(w, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, err
	}
	io.Copy(io.Discard, res.Body)
	return res, res.Body.Close()
}

func TestFaultsThatAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault       Fault
		app, health []int // statuses in order
	}{
		{NoFault, []int{200, 200, 200}, []int{200}},
		{BadGateway, []int{502, 502, 502}, []int{200}},
		{Unavailable, []int{200, 200, 503, 200, 200, 503}, []int{200}},
		{Slow, []int{200}, []int{200}},
		{SickHealth, []int{200, 200}, []int{500, 500}},
	}
	for _, tt := range tests {
		t.Run(tt.fault.String(), func(t *testing.T) {
			t.Parallel()
			b := startBackend(t)
			switchTo(t, b, tt.fault)
			w := connect(t, b)
			for path, statuses := range map[string][]int{"/": tt.app, healthPath: tt.health} {
				for i, want := range statuses {
					res, err := w.get(path)
					if err != nil {
						t.Fatal(err)
					}
					if res.StatusCode != want {
						t.Errorf("%s, request %d: got status %d, want %d", path, i, res.StatusCode, want)
					}
				}
			}
		})
	}
}

func TestSlowIsSlow(t *testing.T) {
	t.Parallel()
	b := startBackend(t)
	switchTo(t, b, Slow)
	began := time.Now()
	if _, err := connect(t, b).get("/"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < slowBy { // a lower bound is valid on any machine
		t.Errorf("answered after %v, want at least %v", took, slowBy)
	}
}

func TestFaultsThatCloseTheConnection(t *testing.T) {
	t.Parallel()
	t.Run("before the response", func(t *testing.T) {
		t.Parallel()
		b := startBackend(t)
		switchTo(t, b, CloseEarly)
		w := connect(t, b)
		fmt.Fprint(w, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got, err := io.ReadAll(w.in); err != nil || len(got) > 0 {
			t.Errorf("got %q, %v, want a clean end at once", got, err)
		}
	})
	t.Run("within the header", func(t *testing.T) {
		t.Parallel()
		b := startBackend(t)
		switchTo(t, b, CutHeader)
		w := connect(t, b)
		fmt.Fprint(w, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got, err := io.ReadAll(w.in)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") || strings.Contains(string(got), "\r\n\r\n") {
			t.Errorf("got %q, %v, want a header without an end", got, err)
		}
	})
	t.Run("after it was idle", func(t *testing.T) {
		t.Parallel()
		b := startBackend(t)
		switchTo(t, b, CloseIdle)
		w := connect(t, b)
		if _, err := w.get("/"); err != nil {
			t.Fatalf("a fresh connection: %v", err)
		}
		wait(t.Context(), nil, 2*idleLimit)
		if res, err := w.get("/"); err == nil {
			t.Errorf("got status %d on a connection unused for %v, want its end", res.StatusCode, 2*idleLimit)
		}
	})
}

func TestRefuseKeepsRequestsInFlight(t *testing.T) {
	t.Parallel()
	b := startBackend(t)
	old := connect(t, b)
	if _, err := old.get("/"); err != nil {
		t.Fatal(err)
	}
	switchTo(t, b, Refuse)
	if _, err := net.Dial("tcp", b.addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection got %v, want it refused", err)
	}
	res, err := old.get("/")
	if err != nil || res.StatusCode != 200 || !res.Close {
		t.Errorf("an old connection got %+v, %v, want a last answer", res, err)
	}
	switchTo(t, b, NoFault)
	if _, err := connect(t, b).get("/"); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func TestRestartBreaksConnections(t *testing.T) {
	t.Parallel()
	b := startBackend(t)
	old := connect(t, b)
	if _, err := old.get("/"); err != nil {
		t.Fatal(err)
	}
	switchTo(t, b, Restart)
	if _, err := net.Dial("tcp", b.addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection got %v, want it refused", err)
	}
	if _, err := old.get("/"); err == nil {
		t.Error("an old connection still works")
	}
	switchTo(t, b, NoFault)
	if _, err := connect(t, b).get("/"); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func TestFreezeAnswersWhenItThaws(t *testing.T) {
	t.Parallel()
	b := startBackend(t)
	switchTo(t, b, Freeze)
	for _, path := range []string{"/", healthPath} {
		w := connect(t, b)
		fmt.Fprintf(w, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		w.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := w.in.ReadByte(); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("%s: got %v from a frozen backend, want nothing", path, err)
		}
	}
	w := connect(t, b)
	fmt.Fprint(w, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	switchTo(t, b, NoFault)
	if res, err := http.ReadResponse(w.in, nil); err != nil || res.StatusCode != 200 {
		t.Errorf("got %v, %v after the freeze, want an answer", res, err)
	}
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

func TestLedgerCountsSecondExecutions(t *testing.T) {
	t.Parallel()
	l := newLedger()
	for _, n := range []uint64{1, 2, 1, 3, 1} {
		l.executed(n)
	}
	if posts, double := l.counts(); posts != 3 || double != 2 {
		t.Errorf("got %d posts and %d executions too many, want 3 and 2", posts, double)
	}
	for n := range uint64(2 * ledgerSize) {
		l.executed(100 + n)
	}
	if got := len(l.seen); got != ledgerSize {
		t.Errorf("remembers %d, want %d", got, ledgerSize)
	}
}
