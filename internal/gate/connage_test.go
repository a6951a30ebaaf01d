package gate

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// An HTTP/2 connection that has reached its age ends with the next answer.
func TestAgeOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{
			ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return ctx },
			Handler:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		}
		ageOut(s, 10*time.Second)
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
