package proxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// drainHeader is how an application that is about to end says so with any of
// its answers: "Goodgate-Drain: 30s". Its upstream gets no new requests for
// that long, if the pool trusts it to decide that ([PoolOptions.DrainHeader]):
// some applications let their users choose fields of an answer. The field does
// not reach the client, and that of a client does not reach an upstream, which
// might echo it.
const drainHeader = "Goodgate-Drain"

// maxAway bounds how long a 503 takes its upstream out. Retry-After may be meant
// for the hours of a maintenance.
const maxAway = 30 * time.Second

// heedDrain takes an upstream out for new requests when its answer says that it
// is about to end, by the header above; what servers say that know nothing of
// goodgate counts once a probe agrees. Anybody can ask for a page that is closed,
// and such a page gets the same 503.
func (d *delivery) heedDrain(a *attempt) {
	now := a.started.Add(a.took)
	word := a.res.Get(header.GoodgateDrain)
	a.res.Delete(header.GoodgateDrain)
	if word != "" && d.pool.opts.DrainHeader {
		if rest, err := time.ParseDuration(word); err == nil {
			a.m.Rest(rest)
		}
		return
	}
	a.m.SaysLeaving(min(goesAway(a.res, now), maxAway))
}

// goesAway returns for how long an upstream wants no requests: what it says in
// Retry-After of a 503 with which it closes the connection; else 0. A server of
// HTTP/1.0 closes it anyway.
func goesAway(res *message.Response, now time.Time) time.Duration {
	if res.StatusCode != http.StatusServiceUnavailable || !res.Close || !res.ProtoAtLeast(1, 1) {
		return 0
	}
	asked, _ := parseRetryAfter(res.Get(header.RetryAfter), now)
	return asked
}

// parseRetryAfter returns the time that Retry-After (RFC 9110 section 10.2.3)
// asks to wait, as seconds or a date, and whether it is one of them.
func parseRetryAfter(v string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}
