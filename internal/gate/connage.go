package gate

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
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
		return context.WithValue(open(ctx, c), ageKey{}, deadline.AgeIn(age))
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := r.Context().Value(ageKey{}).(deadline.Age); ok && a.Reached() {
			w.Header().Set("Connection", "close")
		}
		serve.ServeHTTP(w, r)
	})
}

type ageKey struct{}
