package main

import (
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// backend is an application with a fixed number of workers and an unlimited queue, like
// most applications. It does not notice that a client has left.
type backend struct {
	addr   string
	server http.Server
	free   chan struct{} // one element per free worker
	size   int
	factor atomic.Int64 // factor for the duration of a request
}

func newBackend() (*backend, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{addr: ln.Addr().String(), free: make(chan struct{}, workers), size: workers}
	for range workers {
		b.free <- struct{}{}
	}
	b.factor.Store(1)
	b.server = http.Server{Handler: http.HandlerFunc(b.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go b.server.Serve(ln)
	return b, nil
}

func (b *backend) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		return
	}
	<-b.free
	time.Sleep(time.Duration(rand.ExpFloat64() * float64(takes) * float64(b.factor.Load())))
	b.free <- struct{}{}
	io.WriteString(w, "served\n")
}

// slow multiplies the duration of every request.
func (b *backend) slow(factor int64) { b.factor.Store(factor) }

// resize removes workers, each after its present request.
func (b *backend) resize(n int) {
	for ; b.size > n; b.size-- {
		select {
		case <-b.free:
		default:
			go func() { <-b.free }()
		}
	}
}
