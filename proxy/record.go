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

// maxAttemptsNoted bounds the attempts a record lists; the first are dropped
// last, since they tell what began it.
const maxAttemptsNoted = 16

// Record is the account of one request, complete when it has ended.
type Record struct {
	Start    time.Time
	Request  *Request // as it came in; nobody may change or keep it
	Duration time.Duration
	ID       string
	Trace    string     // the trace's ID; empty without one
	Client   netip.Addr // invalid for a unix socket
	client   string     // the same as text; empty = not made yet
	Method   string
	Host     string
	Path     string // without the query, which may hold secrets
	Proto    string
	Route    string
	Pool     string
	Split    SplitChoice // of a route with a split
	Upstream string      // that answered, or failed last
	Status   int
	Received int64         // bytes of the request's body, and what came through its tunnel
	Sent     int64         // bytes of the response's body, and so
	Held     time.Duration // waited for an upstream
	Paused   time.Duration // waited because the operator has paused the pool
	Queued   time.Duration // waited for a place before the pool
	DryRun   string        // the rate that would have refused the request
	Err      error         // what happened, when Reason is not enough
	Reason   reason.Reason
	Absorbed reason.Means  // how a failure was kept from the client
	Hidden   reason.Reason // that failure; None when Absorbed is ByNothing, or ByHedge of one that was only slow
	Cache    CacheUse
	Faults   FaultKinds // on purpose, that the request met
	SavedBy  string     // what would have kept a failure that escaped from the client; empty when nothing known would
	Fallback string     // the fallback pool that was asked; empty = none
	Attempts []Attempt
	Omitted  int // attempts that are not in Attempts

	fields *recordFields // of responses; nil = none
}

// Attempt is one try on one upstream.
type Attempt struct {
	Upstream string
	Pool     string        // the fallback pool the upstream is of; empty = the record's
	After    time.Duration // since the request's start
	Took     time.Duration // until the response header or the failure
	Reused   bool          // on a connection that had been used before
	Idle     time.Duration // how long that connection had been unused
	Sent     int64         // bytes written
	Acked    int64         // of these, acknowledged by the upstream's kernel; -1 = not known
	Received int64         // bytes read, until the response header
	Status   int           // 0 without an answer
	Reason   reason.Reason
	Err      error
	Decision reason.Decision
	Span     SpanID
	Budget   int    // retries the pool's budget still allowed after the decision; -1 when the attempt was answered
	Because  string // of a hedge: what the attempt before it was suspected of; see suspicion
}

// Failed returns the number of attempts that brought no good answer.
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

// Rescued reports whether an upstream failed and the client saw nothing of it.
func (r *Record) Rescued() bool { return r.Absorbed != reason.ByNothing && !r.MadeFaster() }

// MadeFaster reports whether another upstream answered before the first, which had not
// failed. Nothing was hidden then: the client would have got an answer, later.
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

// entry returns what the record has of an attempt, nil when it was dropped or has not
// been noted. Those omitted are the ones behind the first.
func (r *Record) entry(a *attempt) *Attempt {
	switch i := a.number - 1; {
	case i == 0:
		return &r.Attempts[0]
	case i > r.Omitted:
		return &r.Attempts[i-r.Omitted]
	}
	return nil
}

// lastStatus returns the latest status an upstream gave, 0 when none has.
func (r *Record) lastStatus() int {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		if status := r.Attempts[i].Status; status != 0 {
			return status
		}
	}
	return 0
}

// Level returns the level a record is logged at: a warning when the client saw
// a gateway error, since somebody should look.
func (r *Record) Level() slog.Level {
	if r.Escaped() || r.Reason == reason.Internal {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// LogEdit changes the attributes of a request's line in the log. It may append to
// the list and change it in place, and must not keep it.
type LogEdit func(*Record, []slog.Attr) []slog.Attr

// Log returns an observer that writes one log record a request, changed by each of
// edits in turn.
func Log(logger *slog.Logger, edits ...LogEdit) func(*Record) {
	rooms := sync.Pool{New: func() any { return new([maxAttrs]slog.Attr) }}
	handler := logger.Handler() // the logger itself would look up its caller for every record
	return func(r *Record) {
		ctx := context.Background()
		level := r.Level()
		if !handler.Enabled(ctx, level) {
			return
		}
		room := rooms.Get().(*[maxAttrs]slog.Attr)
		defer func() {
			clear(room[:]) // it would keep the request's strings
			rooms.Put(room)
		}()
		line := slog.NewRecord(r.Start.Add(r.Duration), level, "request", 0)
		// As one group without a name they come out the same, and slog need not
		// copy them.
		line.AddAttrs(slog.Attr{Value: slog.GroupValue(r.edited(room[:0], edits)...)})
		handler.Handle(ctx, line)
	}
}

// maxAttrs is the most attributes that attrs lists.
const maxAttrs = 25

// edited is attrs with changes.
func (r *Record) edited(room []slog.Attr, edits []LogEdit) []slog.Attr {
	a := r.attrs(room)
	for _, edit := range edits {
		a = edit(r, a)
	}
	return a
}

// attrs lists what is worth a line. The plain case leaves out what it does not
// need.
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

// attemptList renders attempts alike in JSON and text.
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
