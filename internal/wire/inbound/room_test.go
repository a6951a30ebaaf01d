package inbound

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// TestRoom checks that a request reuses the memory of an earlier one only if nothing
// can refer to it any more, and that this memory is empty.
func TestRoom(t *testing.T) {
	t.Parallel()
	secret := "Secret: " + strings.Repeat("s", 100) + "\r\n"
	for name, c := range map[string]struct {
		again bool
		first string // empty = a plain GET
		use   func(w ResponseWriter, r *message.Request)
	}{
		"plain":       {again: true},
		"many fields": {again: true, first: "GET /secret?secret=1 HTTP/1.1\r\nHost: secret\r\n" + strings.Repeat(secret, roomFields+10) + "\r\n"},
		"edited": {again: true, use: func(w ResponseWriter, r *message.Request) {
			r.Head.Add("Secret", "1")
			r.Head.Delete(header.Host)
			r.URL.Path, r.URL.RawPath = "/secret", "/secret"
			r.Method = "SECRET"
		}},
		"header": {again: true, use: func(w ResponseWriter, r *message.Request) {
			for i := range 10 {
				w.Header().Set(fmt.Sprint("Secret-", i), "1")
			}
			w.Header().Set("Trailer", "Secret")
		}},
		"value": {again: true, use: func(w ResponseWriter, r *message.Request) {
			r.Context().Value(http.LocalAddrContextKey)
			r.Context().Err()
		}},
		"no body to wait for": {again: true, use: func(w ResponseWriter, r *message.Request) {
			if w.(*response).AwaitBody(func(error) {}) {
				t.Error("it is waited for")
			}
		}},
		"Done": {use: func(w ResponseWriter, r *message.Request) { r.Context().Done() }},
		"HTTP": {use: func(w ResponseWriter, r *message.Request) { r.HTTP() }},
		"HTTP, then dropped fields": {use: func(w ResponseWriter, r *message.Request) {
			r.HTTP()
			r.DropFields(func(string) bool { return true })
		}},
		"body":   {first: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
		"chunks": {first: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		"hijack": {use: func(w ResponseWriter, r *message.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
			}
			c.Close()
		}},
		"panic":   {use: func(w ResponseWriter, r *message.Request) { panic(http.ErrAbortHandler) }},
		"refused": {first: "GET / HTTP/1.1\r\nSecret: 1\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var served []ResponseWriter // in turn the first, and another that comes after it
			handle := func(w ResponseWriter, r *message.Request) {
				mu.Lock()
				defer mu.Unlock()
				served = append(served, w)
				if len(served)%2 == 1 {
					if c.use != nil {
						c.use(w, r)
					}
					return
				}
				if left := fmt.Sprintf("%q %q %+v %q %q", r.Head.Fields[:cap(r.Head.Fields)], r.URL, r.HTTP(), w.Header(), w.(*response).trailers); strings.Contains(strings.ToLower(left), "secret") {
					t.Errorf("there is something left: %s", left)
				}
			}
			l := serve(t, Options{Serve: handle, Refuse: func(w ResponseWriter, r *message.Request, _ int, _ error) { handle(w, r) }})
			ask := func(request string) {
				nc, br := dial(t, l)
				say(t, nc, request)
				nc.CloseWrite()
				io.ReadAll(br)
			}
			if c.first == "" {
				c.first = get
			}
			for range 50 {
				ask(c.first)
				ask(get)
			}
			mu.Lock()
			defer mu.Unlock()
			again := false
			for i := 0; i < len(served); i += 2 {
				again = again || served[i] == served[i+1]
			}
			if again != c.again {
				t.Errorf("the room is used again: got %v, want %v", again, c.again)
			}
		})
	}
}
