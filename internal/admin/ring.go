package admin

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

const (
	ringFailures = 512 // requests that an upstream failed, hidden from the client or not
	ringRefused  = 128 // requests refused for overload; these can be all requests
	ringOthers   = 128 // requests that failed for another reason
	ringFaster   = 128 // requests without a failure that another upstream answered first
	alikeShown   = 3   // of the same pool and reason in a short list

	// Clients choose these texts, and upstreams cause errors. These bounds, in bytes,
	// keep a request below 16 KiB.
	maxPath  = 1024
	maxHost  = 256
	maxError = 256
)

// Ring remembers the latest requests in which something failed. Failures that any client
// can cause have their own place, so that they do not displace others. It is safe for
// concurrent use.
type Ring struct {
	mu       sync.Mutex // protects the fields below
	failures []*Request
	refused  []*Request
	others   []*Request
	faster   []*Request
}

// Observe records a request, unless it was simply answered. It is an observer of a proxy.
func (r *Ring) Observe(rec *proxy.Record) {
	if rec.Reason == reason.None && rec.Absorbed == reason.ByNothing {
		return
	}
	q := newRequest(rec)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case rec.MadeFaster():
		r.faster = push(r.faster, q, ringFaster)
	case rec.Reason == reason.Overloaded:
		r.refused = push(r.refused, q, ringRefused)
	case rec.Reason.GatewayError() || rec.Rescued():
		r.failures = push(r.failures, q, ringFailures)
	default:
		r.others = push(r.others, q, ringOthers)
	}
}

func push(list []*Request, q *Request, limit int) []*Request {
	if len(list) == limit {
		copy(list, list[1:])
		list = list[:limit-1]
	}
	return append(list, q)
}

// Find returns the latest request with an id, nil if the ring does not have it.
func (r *Ring) Find(id string) *Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range [][]*Request{r.failures, r.refused, r.others, r.faster} {
		for _, q := range slices.Backward(list) {
			if q.ID == id {
				return q
			}
		}
	}
	return nil
}

// Latest returns up to n requests that an upstream failed, latest first.
func (r *Ring) Latest(n int) []*Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := append(slices.Clone(r.failures), r.refused...)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b *Request) int { return b.Start.Compare(a.Start) })
	return append([]*Request{}, list[:min(n, len(list))]...)
}

// Varied returns up to n requests that an upstream failed, latest first, and only a few
// of each kind, so that frequent ones do not hide the others.
func (r *Ring) Varied(n int) []*Request {
	type kind struct{ pool, why, by, hidden string }
	seen := map[kind]int{}
	list := []*Request{}
	for _, q := range r.Latest(ringFailures + ringRefused) {
		k := kind{q.Pool, q.Reason, q.AbsorbedBy, q.Hidden}
		if seen[k]++; seen[k] <= alikeShown && len(list) < n {
			list = append(list, q)
		}
	}
	return list
}

// Request is the ring's record of a request. It is immutable.
type Request struct {
	ID         string    `json:"id"`
	Start      time.Time `json:"start"`
	MS         float64   `json:"ms"`
	Client     string    `json:"client"`
	Method     string    `json:"method"`
	Host       string    `json:"host"`
	Path       string    `json:"path"`
	Route      string    `json:"route,omitempty"`
	Pool       string    `json:"pool,omitempty"`
	Upstream   string    `json:"upstream,omitempty"`
	Status     int       `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Error      string    `json:"error,omitempty"`
	AbsorbedBy string    `json:"absorbed_by,omitempty"`
	Hidden     string    `json:"hidden,omitempty"`
	MadeFaster bool      `json:"made_faster,omitempty"` // another upstream answered first, without a failure
	SavedBy    string    `json:"saved_by,omitempty"`
	HeldMS     float64   `json:"held_ms,omitempty"`
	PausedMS   float64   `json:"paused_ms,omitempty"`
	QueuedMS   float64   `json:"queued_ms,omitempty"`
	Attempts   []Attempt `json:"attempts"`
	Omitted    int       `json:"attempts_omitted,omitempty"`
	Why        []string  `json:"why"` // the story in plain words
}

// Attempt is one attempt on one upstream.
type Attempt struct {
	Upstream string  `json:"upstream"`
	Pool     string  `json:"pool,omitempty"` // if it differs from the request's
	AfterMS  float64 `json:"after_ms"`
	MS       float64 `json:"ms"`
	Reused   bool    `json:"reused"`
	IdleMS   float64 `json:"idle_ms,omitempty"`
	Sent     int64   `json:"sent"`
	Received int64   `json:"received"`
	Status   int     `json:"status,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Error    string  `json:"error,omitempty"`
	Decision string  `json:"decision"`
	Because  string  `json:"because,omitempty"` // for a hedge: the suspicion about the attempt before it
}

func newRequest(r *proxy.Record) *Request {
	r = short(r)
	q := &Request{
		ID: r.ID, Start: r.Start, MS: milliseconds(r.Duration), Client: "unix",
		Method: r.Method, Host: r.Host, Path: r.Path, Route: r.Route, Pool: r.Pool, Upstream: r.Upstream,
		Status: r.Status, Reason: word(r.Reason), SavedBy: r.SavedBy, Error: text(r.Err),
		HeldMS: milliseconds(r.Held), PausedMS: milliseconds(r.Paused), QueuedMS: milliseconds(r.Queued), Omitted: r.Omitted,
		Attempts: make([]Attempt, len(r.Attempts)), Why: explain(r),
	}
	if r.Client.IsValid() {
		q.Client = r.Client.String()
	}
	if q.MadeFaster = r.MadeFaster(); r.Rescued() {
		q.AbsorbedBy, q.Hidden = r.Absorbed.String(), word(r.Hidden)
	}
	for i, a := range r.Attempts {
		q.Attempts[i] = Attempt{
			Upstream: a.Upstream, Pool: a.Pool, AfterMS: milliseconds(a.After), MS: milliseconds(a.Took),
			Reused: a.Reused, IdleMS: milliseconds(a.Idle), Sent: a.Sent, Received: a.Received,
			Status: a.Status, Reason: word(a.Reason), Error: text(a.Err), Decision: a.Decision.String(), Because: a.Because,
		}
	}
	return q
}

// short returns a copy of a record with shortened copies of its texts. The originals are
// parts of the request's header, and would keep all of it in memory.
func short(r *proxy.Record) *proxy.Record {
	c := *r
	c.ID, c.Method = cut(r.ID, maxHost), cut(r.Method, maxHost)
	c.Host, c.Path = cut(r.Host, maxHost), cut(r.Path, maxPath)
	return &c
}

// cut returns a copy of at most n bytes of a text.
func cut(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func word(r reason.Reason) string {
	if r == reason.None {
		return ""
	}
	return r.String()
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return cut(err.Error(), maxError)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
