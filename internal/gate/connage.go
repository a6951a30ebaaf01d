package gate

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// clientConn counts the requests of a client's HTTP/2 connection.
type clientConn struct {
	age   deadline.Age
	asked atomic.Int64
}

type clientConnKey struct{}

// endConns ends the connections of an HTTP/2 server at an age, less a random tenth, or after
// a number of requests; 0 means no limit. The first response after that makes net/http
// send GOAWAY, and the connection closes once its other requests have ended.
func endConns(s *http.Server, age time.Duration, requests int) {
	if age <= 0 && requests <= 0 {
		return
	}
	open, serve := s.ConnContext, s.Handler
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(open(ctx, c), clientConnKey{}, &clientConn{age: deadline.AgeIn(age)})
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(clientConnKey{}).(*clientConn); ok {
			asked := c.asked.Add(1)
			if requests > 0 && asked >= int64(requests) || c.age.Reached() {
				w.Header().Set("Connection", "close")
			}
		}
		serve.ServeHTTP(w, r)
	})
}
