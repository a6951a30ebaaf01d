package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// kind is the fault of a version.
type kind int

const (
	good    kind = iota
	crashes      // exits at its start
	errs         // passes its health checks and answers 500
	slow         // takes ten times as long
	leaks        // becomes slower and slower, and then exits
)

func (k kind) String() string { return [...]string{"good", "crashes", "errors", "slow", "leaks"}[k] }

const (
	usual = 5 * time.Millisecond // duration of an answer
	// dies is the number of requests after which a leaking version exits.
	dies = 600
)

// version is a running application.
type version struct {
	kind     kind
	address  string
	server   *http.Server
	answered atomic.Int64
}

func startVersion(k kind) (*version, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &version{kind: k, address: l.Addr().String()}
	if k == crashes {
		return v, l.Close()
	}
	v.server = &http.Server{Handler: v}
	go v.server.Serve(l)
	return v, nil
}

// stop ends the version like a supervisor: requests in flight get a moment.
func (v *version) stop() {
	if v.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if v.server.Shutdown(ctx) != nil {
		v.server.Close()
	}
}

func (v *version) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		return
	}
	n := v.answered.Add(1)
	if v.kind == leaks && n > dies {
		go v.server.Close()
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(kindHeader, v.kind.String())
	sum := sha256.New()
	io.Copy(sum, r.Body)
	time.Sleep(v.wait(n))
	switch {
	case v.kind == errs:
		http.Error(w, "bug", http.StatusInternalServerError)
	case r.Header.Get("Upgrade") != "":
		tunnel(w)
	case r.URL.Path == "/events":
		events(w)
	default:
		io.WriteString(w, r.Method+" "+r.URL.Path+" "+hex.EncodeToString(sum.Sum(nil)))
	}
}

func (v *version) wait(n int64) time.Duration {
	switch v.kind {
	case slow:
		return 10 * usual
	case leaks:
		return usual + time.Duration(n*n)*20*time.Microsecond/10
	}
	return usual
}

// kindHeader identifies the version in an answer.
const kindHeader = "X-Kind"

// tunnel switches the protocol and echoes everything.
func tunnel(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	io.Copy(conn, buffered)
}

// events sends a few events over a while.
func events(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	for n := range eventsSent {
		fmt.Fprintf(w, "data: %d\n\n", n)
		c.Flush()
		time.Sleep(eventEvery)
	}
}

const (
	eventsSent = 10
	eventEvery = 150 * time.Millisecond
)
