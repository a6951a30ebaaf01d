package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// The upload client sends its complete body, and expects 413.
func TestUpload(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		got.Store(n)
		if r.URL.Path == refusedPath {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}))
	defer s.Close()
	c := &client{addr: s.Listener.Addr().String()}
	defer c.close()
	f := func(path string, chunked bool, want string) {
		t.Helper()
		if failure := c.upload(t.Context(), path, uploadMin, chunked); failure != want || got.Load() != uploadMin {
			t.Errorf("%s, chunked %v: got failure %q after %d bytes, want %q after %d", path, chunked, failure, got.Load(), want, uploadMin)
		}
	}
	f(refusedPath, false, "")
	f(refusedPath, true, "")
	f("/", true, "status 200")
}
