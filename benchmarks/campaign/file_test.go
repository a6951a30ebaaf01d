package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestFile asks a backend directly, so that the case cannot pass because its fault does
// not occur, or because the client does not compare.
func TestFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"whole": {func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, healthy) }, ""},
		"cut":   {func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, cutFile) }, failedBody},
		"busy":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "status 502"},
		"put together wrong": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(file[:fileCutAt])
			w.Write(file[fileCutAt-1 : fileSize-1])
		}, failedForeign},
	} {
		s := httptest.NewServer(c.answer)
		client := &client{addr: s.Listener.Addr().String()}
		if got := client.download(t.Context()); got != c.want {
			t.Errorf("%s: got failure %q, want %q", name, got, c.want)
		}
		client.close()
		s.Close()
	}
}
