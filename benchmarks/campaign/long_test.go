package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestLong sends slow requests to the application itself, and to one that truncates the
// answers, so that a case cannot pass because the client does not check.
func TestLong(t *testing.T) {
	t.Parallel()
	var ran strings.Builder
	a := &app{ran: &ran}
	good := httptest.NewServer(a)
	defer good.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, takes, _ := longPath(r.URL.Path)
		if k == socket {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serveLong(w, r, k, takes-messageEvery)
		panic(http.ErrAbortHandler)
	}))
	defer cut.Close()
	const takes = 3 * messageEvery
	f := func(k kind, method, want string) {
		t.Helper()
		r := request{method: method, kind: k, takes: takes}
		for server, want := range map[*httptest.Server]string{good: "", cut: want} {
			c := &client{addr: server.Listener.Addr().String(), want: bodySize}
			began := time.Now()
			if got := c.send(t.Context(), r, string(k), ""); got != want {
				t.Errorf("%s: got failure %q, want %q", k, got, want)
			}
			if took := time.Since(began); want == "" && took < takes {
				t.Errorf("%s took %v, want at least %v", k, took, takes)
			}
			c.close()
		}
	}
	f(answered, http.MethodGet, failedHeader)
	f(events, http.MethodGet, failedBody)
	f(socket, http.MethodGet, "status 503")
	f(delivered, http.MethodPost, failedSend)
	for _, want := range []string{"GET wait\n", "end GET wait\n", "GET events\n", "GET socket\n", "POST upload\n", "end POST upload\n"} {
		if !strings.Contains(ran.String(), want) {
			t.Errorf("the application does not tell %q:\n%s", want, ran.String())
		}
	}
}

// TestLoneWorker checks that two requests wait for one another.
func TestLoneWorker(t *testing.T) {
	t.Parallel()
	const work = 50 * time.Millisecond
	a := &app{lone: true, work: work, ran: io.Discard}
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.toil(context.Background(), healthy)
	}()
	a.toil(context.Background(), twofold)
	<-done
	if took := time.Since(began); took < 3*work {
		t.Errorf("one request and one that takes twice as long took %v, want at least %v", took, 3*work)
	}
}
