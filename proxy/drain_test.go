package proxy_test

import (
	"net/http"
	"testing"
	"time"
)

// An application that is about to end gets no new requests for as long as it
// says, and clients see nothing of it.
func TestApplicationDrains(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:80", "b:80")}
	s.balancer.Policy = "first"
	bubble(t, s, func(w *world) {
		drain := "30s"
		w.app("a:80", func(w http.ResponseWriter, r *http.Request) {
			if drain != "" {
				w.Header().Set("Goodgate-Drain", drain)
			}
			w.Write([]byte("a"))
		})
		w.app("b:80", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("b")) })
		expect := func(when, want string) {
			t.Helper()
			got := w.get()
			check(t, when, got.body, want)
			check(t, "header", got.header.Get("Goodgate-Drain"), "")
		}
		expect("the one that says it", "a")
		expect("the next", "b")
		time.Sleep(29 * time.Second)
		expect("while it drains", "b")
		drain = "nonsense"
		time.Sleep(2 * time.Second)
		expect("afterwards", "a")
		expect("a value that means nothing", "a")
	})
}
