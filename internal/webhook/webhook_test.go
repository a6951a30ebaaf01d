package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const secret = "0123456789abcdef"

// hook is a server that gives prepared answers, and then successful ones.
type hook struct {
	*httptest.Server
	answers []int
	got     chan Event

	mu  sync.Mutex // protects ids
	ids []string   // of every try
}

func startHook(t *testing.T, answers ...int) *hook {
	h := &hook{answers: answers, got: make(chan Event, 2*maxQueue)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("got %q: %v", body, err)
		}
		if got, want := r.Header.Get("Goodgate-Signature"), Sign(secret, e.Time, body); got != want {
			t.Errorf("signed %q, want %q", got, want)
		}
		h.mu.Lock()
		n := len(h.ids)
		h.ids = append(h.ids, r.Header.Get("Goodgate-Event"))
		h.mu.Unlock()
		if n < len(h.answers) {
			w.WriteHeader(h.answers[n])
			return
		}
		h.got <- e
	}))
	t.Cleanup(h.Close)
	return h
}

// run runs a sender until the returned function is called, which waits.
func run(s *Sender) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// TestEventsArePrintable: they end in chats and mails.
func TestEventsArePrintable(t *testing.T) {
	h := startHook(t)
	s := New(Options{URL: h.URL, Secret: secret})
	stop := run(s)
	s.Send(Event{Type: "upstream_down", Upstream: "a\x1b", Text: "line\nfake \u202e\u009b31m"})
	got := <-h.got
	stop()
	if got.Upstream != `a\x1b` || got.Text != `line\nfake \u202e\u009b31m` {
		t.Errorf("got %+q", got)
	}
}

// TestSentAgain: a server that fails at first gets every event, signed, and can
// tell by its ID that it is the same one.
func TestSentAgain(t *testing.T) {
	h := startHook(t, 503, 500, 429)
	s := New(Options{URL: h.URL, Secret: secret, Instance: "gate-1", Pause: time.Millisecond})
	stop := run(s)
	s.Send(Event{Type: "upstream_down", Pool: "app", Upstream: "10.0.0.1:80", Text: "It is down."})
	s.Send(Event{Type: "upstream_up", Pool: "app"})
	first, second := <-h.got, <-h.got
	stop()
	if first.Type != "upstream_down" || first.Upstream != "10.0.0.1:80" || first.Instance != "gate-1" || first.Text != "It is down." || second.Type != "upstream_up" {
		t.Errorf("got %+v, %+v", first, second)
	}
	if len(h.ids) != 5 || h.ids[0] != h.ids[3] || h.ids[3] == h.ids[4] || h.ids[0] != first.ID {
		t.Errorf("tries: %q", h.ids)
	}
	if s.Lost() != 0 {
		t.Errorf("lost %d", s.Lost())
	}
}

// TestGivenUp: an event that a server rejects is not sent again, events that cannot be
// sent are counted, and the log does not contain the address.
func TestGivenUp(t *testing.T) {
	h := startHook(t, 400)
	var log bytes.Buffer
	s := New(Options{URL: h.URL, Secret: secret, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.deliver(t.Context(), Event{Type: "upstream_down"})
	h.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.deliver(ended, Event{Type: "upstream_up"})
	if s.Lost() != 2 || len(h.ids) != 1 {
		t.Errorf("lost %d, tried %d times", s.Lost(), len(h.ids))
	}
	if got := log.String(); !strings.Contains(got, "answered 400") || strings.Contains(got, h.URL) {
		t.Errorf("log: %s", got)
	}
}

// TestFull: a full queue blocks nobody, and waiting events are sent at the end.
func TestFull(t *testing.T) {
	h := startHook(t)
	s := New(Options{URL: h.URL, Secret: secret})
	for range maxQueue + 3 {
		s.Send(Event{Type: "upstream_down"})
	}
	if s.Lost() != 3 {
		t.Errorf("lost %d, want 3", s.Lost())
	}
	run(s)()
	if len(h.got) != maxQueue {
		t.Errorf("%d arrived, want %d", len(h.got), maxQueue)
	}
}

// TestRedirected: the event and its signature go where they were meant to go.
func TestRedirected(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	defer elsewhere.Close()
	h := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer h.Close()
	s := New(Options{URL: h.URL})
	if err := s.to.Load().post(t.Context(), Event{}); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("got %v", err)
	}
}

// server answers from memory.
type server func(*http.Request) *http.Response

func (s server) RoundTrip(r *http.Request) (*http.Response, error) { return s(r), nil }

// A receiver that asks for a pause of years does not stop later events.
func TestLongRetryAfter(t *testing.T) {
	for _, asked := range []string{"1", "60", "31536000", "9223372036854775807", "10000000000", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		synctest.Test(t, func(t *testing.T) {
			s, tries := New(Options{URL: "http://hook.test"}), 0
			s.to.Load().client.HTTPClient.Transport = server(func(*http.Request) *http.Response {
				tries++
				if tries > 1 {
					return &http.Response{StatusCode: 204, Body: http.NoBody}
				}
				return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {asked}}, Body: http.NoBody}
			})
			defer run(s)()
			s.Send(Event{Type: "x"})
			time.Sleep(time.Hour)
			if synctest.Wait(); tries != 2 || s.Lost() != 0 {
				t.Errorf("Retry-After: %s: %d tries in an hour, %d lost; want 2 and 0", asked, tries, s.Lost())
			}
		})
	}
}

// Redirects are not followed: they would send the event and its signature to an address
// that is not configured.
func TestRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{URL: "http://hook.test", Secret: secret})
			s.to.Load().client.HTTPClient.Transport = server(func(r *http.Request) *http.Response {
				if r.URL.Host != "hook.test" {
					t.Errorf("%d was followed to %s", status, r.URL)
				}
				return &http.Response{StatusCode: status, Header: http.Header{"Location": {"http://169.254.169.254/"}}, Body: http.NoBody}
			})
			defer run(s)()
			s.Send(Event{Type: "x"})
			time.Sleep(time.Hour)
			if synctest.Wait(); s.Lost() != 1 {
				t.Errorf("%d: %d events lost, want 1", status, s.Lost())
			}
		})
	}
}

// TestChange: what waits for an address that takes nothing goes to the next one,
// in order and without a loss.
func TestChange(t *testing.T) {
	t.Parallel()
	asked := make(chan bool, 100)
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		asked <- true
	}))
	t.Cleanup(old.Close)
	s := New(Options{URL: old.URL, Pause: time.Hour})
	stop := run(s)
	defer stop()
	for _, kind := range []string{"one", "two", "three"} {
		s.Send(Event{Type: kind})
	}
	<-asked // now the first waits to be sent again
	next := startHook(t)
	s.Change(Options{URL: next.URL, Secret: secret})
	for _, want := range []string{"one", "two", "three"} {
		if e := <-next.got; e.Type != want {
			t.Errorf("got %s, want %s", e.Type, want)
		}
	}
	if s.Lost() != 0 {
		t.Errorf("%d were lost", s.Lost())
	}
}
