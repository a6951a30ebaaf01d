package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// lameFor is how long an application that shuts down gracefully still answers on
// existing connections.
const lameFor = 200 * time.Millisecond

// serving is a listening application.
type serving struct {
	server http.Server
	ln     net.Listener
	lame   atomic.Bool // every answer closes its connection
}

func (a *app) listen() error {
	ln, err := net.Listen("tcp", a.addr)
	for end := time.Now().Add(listenMax); err != nil && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		ln, err = net.Listen("tcp", a.addr)
	}
	if err != nil {
		return err
	}
	if a.speaks == https {
		cert, err := tls.LoadX509KeyPair(a.cert, a.cert)
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	s := &serving{ln: ln}
	s.server = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.lame.Load() {
				w.Header().Set("Connection", "close")
			}
			a.ServeHTTP(w, r)
		}),
		IdleTimeout: a.idle,

		DisableGeneralOptionsHandler: true, // net/http would answer OPTIONS * whatever the fault
		ErrorLog:                     log.New(io.Discard, "", 0),
		Protocols:                    new(http.Protocols),
	}
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetUnencryptedHTTP2(a.speaks == h2c)
	a.serving = s
	a.serves.Go(func() { s.server.Serve(ln) })
	return nil
}

// end shuts the application down. Requests in flight get their answers. Idle
// connections are closed; in a graceful shutdown only after all clients have been
// notified, because a request may be on its way.
func (s *serving) end(gracefully bool) {
	if gracefully {
		s.lame.Store(true)
		s.ln.Close()
		wait(context.Background(), lameFor)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.server.Shutdown(ctx)
	s.server.Close()
}
