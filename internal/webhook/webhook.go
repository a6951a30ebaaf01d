// Package webhook sends events to an HTTP server: signed, with retries until the server
// accepts them, and without blocking the sender of an event.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/goodgate/goodgate/internal/printable"
)

// Limits on the queue and on retries.
const (
	maxQueue   = 256         // waiting events; further ones are dropped
	maxRetries = 6           // retries after the first attempt
	firstPause = time.Second // doubles each time; Retry-After has priority
	maxPause   = 30 * time.Second
	maxAsked   = 5 * time.Minute // longest pause that Retry-After may request; later events wait behind it
	lastWords  = 2 * time.Second // time for the waiting events at the end
)

// Event is something that somebody may want to know at once.
type Event struct {
	ID       string    `json:"id"` // the same in each attempt
	Type     string    `json:"type"`
	Time     time.Time `json:"time"`
	Instance string    `json:"instance,omitempty"` // the host of this goodgate
	Pool     string    `json:"pool,omitempty"`
	Upstream string    `json:"upstream,omitempty"`
	Text     string    `json:"text"` // a sentence
}

// Options configure a [Sender].
type Options struct {
	URL      string
	Secret   string        // key for signatures; empty = no signatures
	Timeout  time.Duration // timeout of one attempt; 0 = 5 s
	Instance string        // in every event
	Logger   *slog.Logger  // nil = no log
	// Pause is the pause before the first retry; 0 = 1 s.
	Pause time.Duration
}

// Sender sends events to one address, one after the other. It is safe for
// concurrent use.
type Sender struct {
	to    atomic.Pointer[target]
	queue chan waiting
	lost  atomic.Int64
}

// waiting is a queued event.
type waiting struct {
	Event
	done func(delivered bool) // may be nil
}

func (w waiting) end(delivered bool) {
	if w.done != nil {
		w.done(delivered)
	}
}

// target is the destination of events. It is immutable.
type target struct {
	opts   Options
	log    *slog.Logger
	client *retryablehttp.Client
	valid  context.Context // ends when another target replaces it
	end    context.CancelFunc
	trying atomic.Bool // an event is in flight, and the server may have accepted it
}

// New returns a sender that sends nothing before Run.
func New(o Options) *Sender {
	s := &Sender{queue: make(chan waiting, maxQueue)}
	s.to.Store(newTarget(o))
	return s
}

// Change changes the destination, for waiting events and for an event that waits for a
// retry, too. An event in flight stays with the old destination if that accepts it.
func (s *Sender) Change(o Options) {
	s.to.Swap(newTarget(o)).end()
}

func newTarget(o Options) *target {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Pause == 0 {
		o.Pause = firstPause
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	t := &target{opts: o, log: o.Logger}
	t.valid, t.end = context.WithCancel(context.Background())
	t.client = retryablehttp.NewClient()
	t.client.Logger = nil // it would log the address, which may contain a secret
	t.client.RetryMax, t.client.RetryWaitMin, t.client.RetryWaitMax = maxRetries, o.Pause, maxPause
	t.client.Backoff = pause
	t.client.RequestLogHook = func(retryablehttp.Logger, *http.Request, int) { t.trying.Store(true) }
	t.client.CheckRetry = func(ctx context.Context, res *http.Response, err error) (bool, error) {
		t.trying.Store(false)
		if t.valid.Err() != nil {
			return false, err
		}
		return retryablehttp.DefaultRetryPolicy(ctx, res, err)
	}
	t.client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	t.client.HTTPClient.Timeout = o.Timeout
	t.client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return t
}

// pause returns the pause before a retry.
func pause(least, most time.Duration, n int, res *http.Response) time.Duration {
	return min(max(retryablehttp.DefaultBackoff(least, most, n, res), 0), maxAsked)
}

// Send queues an event, and drops it if the queue is full. It sets the event's time and
// origin if they are missing, and never waits.
func (s *Sender) Send(e Event) { s.SendThen(e, nil) }

// SendThen is Send with a call of done after the event was delivered or given up. done
// may be called before SendThen returns.
func (s *Sender) SendThen(e Event, done func(delivered bool)) {
	e.ID = rand.Text()
	e.Upstream, e.Text = printable.Text(e.Upstream), printable.Text(e.Text) // for chats and mails, which show them unchanged
	e.Instance = s.to.Load().opts.Instance
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	w := waiting{e, done}
	select {
	case s.queue <- w:
	default:
		s.lost.Add(1)
		w.end(false)
	}
}

// Lost returns the number of events dropped or given up.
func (s *Sender) Lost() int64 { return s.lost.Load() }

// Run sends events until ctx ends, and then the waiting ones for a moment.
func (s *Sender) Run(ctx context.Context) {
	last, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })
	defer stop()
	for {
		select {
		case e := <-s.queue:
			e.end(s.deliver(last, e.Event))
			continue
		default:
		}
		select {
		case e := <-s.queue:
			e.end(s.deliver(last, e.Event))
		case <-ctx.Done():
			return
		}
	}
}

// deliver sends an event, and reports whether the server accepted it. If the target
// changes meanwhile, it starts again with the next one.
func (s *Sender) deliver(ctx context.Context, e Event) bool {
	t := s.to.Load()
	err := t.post(ctx, e)
	for next := s.to.Load(); err != nil && next != t && ctx.Err() == nil; next = s.to.Load() {
		t = next
		err = t.post(ctx, e)
	}
	if err == nil {
		return true
	}
	s.lost.Add(1)
	t.log.Warn("webhook event lost", "type", e.Type, "pool", e.Pool, "error", err.Error())
	return false
}

func (t *target) post(ctx context.Context, e Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.valid, func() {
		if !t.trying.Load() { // it waits for a retry, which is unnecessary now
			cancel()
		}
	})()
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, t.opts.URL, bytes.NewReader(body))
	if err != nil {
		return cause(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "goodgate")
	r.Header.Set("Goodgate-Event", e.ID)
	if t.opts.Secret != "" {
		r.Header.Set("Goodgate-Signature", Sign(t.opts.Secret, e.Time, body))
	}
	res, err := t.client.Do(r)
	if err != nil {
		return cause(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // makes the connection reusable
	if res.StatusCode >= 300 {
		return fmt.Errorf("answered %d", res.StatusCode)
	}
	return nil
}

// cause returns the error without the address, in which many users keep a secret.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Sign returns the signature of a body: the time, and a hash over both that needs the
// secret (HMAC-SHA-256, RFC 2104).
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
