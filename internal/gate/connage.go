package gate

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// ageOut ends the connections of an HTTP/2 server at an age, less a random tenth. The
// first response after that makes net/http send GOAWAY, and the connection closes once
// its other requests have ended.
func ageOut(s *http.Server, age time.Duration) {
	if age <= 0 {
		return
	}
	open, serve := s.ConnContext, s.Handler
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(open(ctx, c), untilKey{}, time.Now().Add(age-rand.N(age/10)))
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if until, ok := r.Context().Value(untilKey{}).(time.Time); ok && !time.Now().Before(until) {
			w.Header().Set("Connection", "close")
		}
		serve.ServeHTTP(w, r)
	})
}

type untilKey struct{}
