package proxy

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// maxAttemptsNoted bounds the attempts in a record. The first one stays, since it shows
// how the failure began, and the latest ones do.
const maxAttemptsNoted = 16

// Record describes one request. It is complete when the request has ended.
type Record struct {
	Start    time.Time
	Request  *Request // as received; it must not be changed or kept
	Duration time.Duration
	ID       string
	Trace    string     // the trace's ID; empty without a trace
	Client   netip.Addr // invalid for a unix socket
	client   string     // Client as text; empty = not made yet
	Method   string
	Host     string
	Path     string // without the query, which may hold secrets
	Proto    string
	Route    string
	Pool     string
	Split    SplitChoice // set on a route with a split
	Upstream string      // the one that answered, or failed last
	Status   int
	Received int64         // bytes of the request's body, or from the client through a tunnel
	Sent     int64         // bytes of the response's body, or to the client through a tunnel
	Held     time.Duration // time waited for an available upstream
	Paused   time.Duration // time waited while the operator had paused the pool
	Queued   time.Duration // time waited in the pool's queue
	DryRun   string        // the rate limit in dry-run mode that would have refused the request
	Err      error         // details of Reason, or nil
	Reason   reason.Reason
	Absorbed reason.Means  // the means that hid a failure from the client
	Hidden   reason.Reason // the failure that Absorbed hid; None if nothing was hidden, for example because a hedge was only faster
	Cache    CacheUse
	Faults   FaultKinds // the injected faults that the request met
	SavedBy  string     // the setting or other change that would have hidden the failure; empty when none is known
	Fallback string     // the fallback pool that received the request; empty = none
	Asked    *Asked     // how [ForwardAuth] asked its service; nil = not asked
	Attempts []Attempt
	Omitted  int // number of attempts that are not in Attempts

	fields *recordFields // of responses and the trace, for Observe; nil = none
}

// Attempt describes one attempt: one sending of the request to one upstream.
type Attempt struct {
	Upstream string
	Pool     string        // the upstream's pool if it is a fallback pool; empty = the record's
	After    time.Duration // from the start of the request to the start of the attempt
	Took     time.Duration // until the response header or the failure
	Reused   bool          // it used a connection that had served requests before
	Idle     time.Duration // time for which that connection had been idle
	Sent     int64         // bytes written
	Acked    int64         // the part of Sent that the upstream's kernel has acknowledged; -1 = unknown
	Received int64         // bytes read, up to the response header
	Status   int           // 0 without an answer
	Reason   reason.Reason
	Err      error
	Decision reason.Decision
	Span     SpanID
	Budget   int    // retries left in the pool's budget after the decision; -1 when the attempt was answered
	Because  string // for a hedge, the evidence against the attempt before it: late, not_sent, not_acknowledged or hung
}

// Failed returns the number of attempts without a good answer.
func (r *Record) Failed() int {
	n := 0
	for i := range r.Attempts {
		if r.Attempts[i].Reason.Fault() == reason.FaultUpstream {
			n++
		}
	}
	return n + r.Omitted
}

// Escaped reports whether the client saw a gateway error.
func (r *Record) Escaped() bool { return r.Reason.GatewayError() }

// Rescued reports whether an upstream failed and the client did not notice it.
func (r *Record) Rescued() bool { return r.Absorbed != reason.ByNothing && !r.MadeFaster() }

// MadeFaster reports whether a hedge answered before the first upstream, and the first
// upstream had not failed. Then no failure was hidden: without the hedge, the client would
// have received the answer later.
func (r *Record) MadeFaster() bool { return r.Absorbed == reason.ByHedge && r.Hidden == reason.None }

// note adds an attempt and numbers it.
func (r *Record) note(a *attempt) {
	if len(r.Attempts) == maxAttemptsNoted {
		copy(r.Attempts[1:], r.Attempts[2:])
		r.Attempts = r.Attempts[:len(r.Attempts)-1]
		r.Omitted++
	}
	acked := int64(-1)
	if n, known := a.call.Acked(); known {
		acked = n
	}
	r.Attempts = append(r.Attempts, Attempt{
		Upstream: a.m.Addr(),
		Pool:     r.Fallback,
		After:    a.after,
		Took:     a.took,
		Reused:   a.call.Reused,
		Idle:     a.call.IdleFor,
		Sent:     a.call.Written(),
		Acked:    acked,
		Received: a.call.Received(),
		Span:     a.span,
		Budget:   -1,
		Because:  a.why.String(),
	})
	a.number = len(r.Attempts) + r.Omitted
}

// last returns the latest attempt, nil before the first.
func (r *Record) last() *Attempt {
	if len(r.Attempts) == 0 {
		return nil
	}
	return &r.Attempts[len(r.Attempts)-1]
}

// entry returns the record's entry of an attempt, nil if it is omitted or not yet
// recorded. The omitted ones follow the first.
func (r *Record) entry(a *attempt) *Attempt {
	switch i := a.number - 1; {
	case i == 0:
		return &r.Attempts[0]
	case i > r.Omitted:
		return &r.Attempts[i-r.Omitted]
	}
	return nil
}

// lastStatus returns the latest status of an upstream, 0 without one.
func (r *Record) lastStatus() int {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		if status := r.Attempts[i].Status; status != 0 {
			return status
		}
	}
	return 0
}

// Level returns the level of a record in the log: warning when the client saw a gateway
// error or goodgate itself failed, else info.
func (r *Record) Level() slog.Level {
	if r.Escaped() || r.Reason == reason.Internal {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// LogEdit changes the attributes of a request's line in the log, and returns them. It may
// append to the slice and change it in place. It must not keep it.
type LogEdit func(*Record, []slog.Attr) []slog.Attr

// Log returns an observer for [Options.Observe]. It applies the edits in order and writes
// one log record for each request.
func Log(logger *slog.Logger, edits ...LogEdit) func(*Record) {
	handler := logger.Handler() // the logger itself would look up its caller for every record
	enabled := func(level slog.Level) bool { return handler.Enabled(context.Background(), level) }
	return logTo(enabled, func(r *Record, attrs []slog.Attr) {
		line := slog.NewRecord(r.Start.Add(r.Duration), r.Level(), "request", 0)
		// slog inlines a group without a name. As one group, it need not copy the
		// attributes.
		line.AddAttrs(slog.Attr{Value: slog.GroupValue(attrs...)})
		handler.Handle(context.Background(), line)
	}, edits)
}

// LogTo returns an observer for [Options.Observe]. It applies the edits in order and
// gives write each record that is not below level, with the attributes of its line in the
// log. write must not keep the record or the attributes.
func LogTo(level slog.Level, write func(*Record, []slog.Attr), edits ...LogEdit) func(*Record) {
	return logTo(func(l slog.Level) bool { return l >= level }, write, edits)
}

func logTo(enabled func(slog.Level) bool, write func(*Record, []slog.Attr), edits []LogEdit) func(*Record) {
	rooms := sync.Pool{New: func() any { return new([maxAttrs]slog.Attr) }}
	return func(r *Record) {
		if !enabled(r.Level()) {
			return
		}
		room := rooms.Get().(*[maxAttrs]slog.Attr)
		defer func() {
			clear(room[:]) // else the pool would keep the request's strings alive
			rooms.Put(room)
		}()
		write(r, r.edited(room[:0], edits))
	}
}

// maxAttrs is the largest number of attributes that attrs returns.
const maxAttrs = 25

// edited returns the attributes after all edits.
func (r *Record) edited(room []slog.Attr, edits []LogEdit) []slog.Attr {
	a := r.attrs(room)
	for _, edit := range edits {
		a = edit(r, a)
	}
	return a
}

// attrs returns the attributes of a log line. It leaves out those that an ordinary
// request does not need.
func (r *Record) attrs(a []slog.Attr) []slog.Attr {
	client := "unix"
	switch {
	case r.client != "":
		client = r.client
	case r.Client.IsValid():
		client = r.Client.String()
	}
	a = append(a,
		slog.String("id", r.ID),
		slog.String("client", client),
		slog.String("method", r.Method),
		slog.String("host", r.Host),
		slog.String("path", r.Path),
		slog.Int("status", r.Status),
		slog.Float64("ms", milliseconds(r.Duration)),
		slog.Int64("received", r.Received),
		slog.Int64("sent", r.Sent),
		slog.String("route", r.Route))
	if r.Pool != "" {
		a = append(a, slog.String("pool", r.Pool))
	}
	if r.Upstream != "" {
		a = append(a, slog.String("upstream", r.Upstream))
	}
	if r.Cache != 0 {
		a = append(a, slog.String("cache", r.Cache.String()))
	}
	if r.Fallback != "" {
		a = append(a, slog.String("fallback", r.Fallback))
	}
	if r.Trace != "" {
		a = append(a, slog.String("trace", r.Trace))
	}
	if r.Held > 0 {
		a = append(a, slog.Float64("held_ms", milliseconds(r.Held)))
	}
	if r.Paused > 0 {
		a = append(a, slog.Float64("paused_ms", milliseconds(r.Paused)))
	}
	if r.Queued > 0 {
		a = append(a, slog.Float64("queued_ms", milliseconds(r.Queued)))
	}
	if r.DryRun != "" {
		a = append(a, slog.String("would_limit", r.DryRun))
	}
	if r.Faults != 0 {
		a = append(a, slog.String("fault", r.Faults.String()))
	}
	if r.Reason != reason.None {
		a = append(a, slog.String("reason", r.Reason.String()))
	}
	if r.Err != nil {
		a = append(a, slog.String("error", r.Err.Error()))
	}
	if r.Absorbed != reason.ByNothing {
		a = append(a, slog.String("absorbed_by", r.Absorbed.String()))
	}
	if r.Hidden != reason.None {
		a = append(a, slog.String("hidden", r.Hidden.String()))
	}
	if r.SavedBy != "" {
		a = append(a, slog.String("saved_by", r.SavedBy))
	}
	if len(r.Attempts) > 1 || r.Reason.Fault() == reason.FaultUpstream {
		a = append(a, slog.Any("attempts", attemptList(r.Attempts)))
	}
	if r.Omitted > 0 {
		a = append(a, slog.Int("attempts_omitted", r.Omitted))
	}
	return a
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// attemptList renders attempts as JSON, both in JSON logs and in text logs.
type attemptList []Attempt

func (l attemptList) MarshalJSON() ([]byte, error) {
	type row struct {
		Upstream string  `json:"upstream"`
		Pool     string  `json:"pool,omitempty"`
		After    float64 `json:"after_ms"`
		Took     float64 `json:"ms"`
		Reused   bool    `json:"reused"`
		Idle     float64 `json:"idle_ms,omitempty"`
		Sent     int64   `json:"sent"`
		Acked    *int64  `json:"acked,omitempty"`
		Received int64   `json:"received"`
		Status   int     `json:"status,omitempty"`
		Reason   string  `json:"reason,omitempty"`
		Error    string  `json:"error,omitempty"`
		Decision string  `json:"decision"`
		Budget   *int    `json:"budget_left,omitempty"`
		Because  string  `json:"because,omitempty"`
	}
	rows := make([]row, len(l))
	for i, a := range l {
		rows[i] = row{
			Upstream: a.Upstream, Pool: a.Pool, After: milliseconds(a.After), Took: milliseconds(a.Took), Reused: a.Reused, Idle: milliseconds(a.Idle),
			Sent: a.Sent, Received: a.Received, Status: a.Status, Decision: a.Decision.String(), Because: a.Because,
		}
		if a.Acked >= 0 {
			rows[i].Acked = &l[i].Acked
		}
		if a.Budget >= 0 {
			rows[i].Budget = &l[i].Budget
		}
		if a.Reason != reason.None {
			rows[i].Reason = a.Reason.String()
		}
		if a.Err != nil {
			rows[i].Error = a.Err.Error()
		}
	}
	return json.Marshal(rows)
}

func (l attemptList) MarshalText() ([]byte, error) { return l.MarshalJSON() }
