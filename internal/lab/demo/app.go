package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	healthPath   = "/healthz"
	numberHeader = "X-Demo-Number" // has the number of a request, for the ledger

	workMin    = 2 * time.Millisecond // shortest duration of an answer
	workSpread = 6 * time.Millisecond // random addition
	slowBy     = 200 * time.Millisecond
	idleLimit  = 5 * time.Millisecond
	freezeMax  = 30 * time.Second // limit on the freezes in a script
)

// app is the example application of one backend, with its fault.
type app struct {
	name   string
	ledger *ledger
	turns  atomic.Uint64 // counts the requests while one in three gets a 503

	mu     sync.Mutex // protects the fields below
	fault  Fault
	thawed chan struct{} // closed at the end of a freeze; nil without one
}

func (a *app) set(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.thawed != nil {
		close(a.thawed)
		a.thawed = nil
	}
	if f == Freeze {
		a.thawed = make(chan struct{})
	}
	a.fault = f
}

func (a *app) state() (Fault, chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fault, a.thawed
}

// ServeHTTP answers according to the fault at the request's arrival.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, thawed := a.state()
	switch fault {
	case Freeze: // the whole process stands still
		wait(r.Context(), thawed, freezeMax)
	case Refuse:
		w.Header().Set("Connection", "close")
	}
	if r.URL.Path == healthPath {
		if fault == SickHealth {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return
	}
	switch fault {
	case BadGateway:
		w.WriteHeader(http.StatusBadGateway)
	case Unavailable:
		if a.turns.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		a.work(w, r, 0)
	case CloseEarly:
		panic(http.ErrAbortHandler)
	case CutHeader:
		cutHeader(w)
	case Slow:
		a.work(w, r, slowBy)
	case CloseIdle:
		if c := connOf(r.Context()); c.unused > idleLimit {
			panic(http.ErrAbortHandler)
		}
		a.work(w, r, 0)
	default:
		a.work(w, r, 0)
	}
}

// work answers as the application itself.
func (a *app) work(w http.ResponseWriter, r *http.Request, extra time.Duration) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if number, err := strconv.ParseUint(r.Header.Get(numberHeader), 10, 64); err == nil && r.Method == http.MethodPost {
		a.ledger.executed(number)
	}
	wait(r.Context(), nil, workMin+rand.N(workSpread)+extra)
	body := fmt.Sprintf("hello from %s\n", a.name)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	io.WriteString(w, body)
}

// wait waits for d, at most until ctx ends or done is closed.
func wait(ctx context.Context, done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	case <-ctx.Done():
	}
}

// cutHeader sends the beginning of a response header and closes the connection.
func cutHeader(w http.ResponseWriter) {
	c, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer c.Close()
	out.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/pl")
	out.Flush()
}

// idleConn is a connection with its last idle time. It belongs to the server's
// goroutine for the connection.
type idleConn struct {
	net.Conn
	since  time.Time
	unused time.Duration // idle time before the present request
}

type idleListener struct{ net.Listener }

func (l idleListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &idleConn{Conn: c}, nil
}

func noteIdle(c net.Conn, s http.ConnState) {
	conn, ok := c.(*idleConn)
	if !ok {
		return
	}
	switch s {
	case http.StateIdle:
		conn.since = time.Now()
	case http.StateActive:
		conn.unused = 0
		if !conn.since.IsZero() {
			conn.unused = time.Since(conn.since)
		}
	}
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(ctx context.Context) *idleConn {
	c, _ := ctx.Value(connKey{}).(*idleConn)
	if c == nil {
		return &idleConn{}
	}
	return c
}
