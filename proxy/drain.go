package proxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// drainHeader lets an application that is about to end announce it in any of its answers:
// "Goodgate-Drain: 30s". Its upstream then gets no new requests for that time, if the
// pool allows it ([PoolOptions.DrainHeader]): some applications let their users choose
// fields of an answer. goodgate removes the field from answers, and from clients'
// requests, because an upstream might echo it.
const drainHeader = "Goodgate-Drain"

// maxAway bounds how long a 503 drains its upstream. Retry-After may cover hours of
// maintenance.
const maxAway = 30 * time.Second

// heedDrain drains an upstream whose answer announces its end with Goodgate-Drain. A 503
// from a server that does not know goodgate counts only after a probe has confirmed it:
// anybody can request a page that is closed, and such a page gets the same 503.
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

// goesAway returns how long an upstream wants no requests: the Retry-After of a 503 with
// which it closes the connection, else 0. HTTP/1.0 servers close it anyway, so there it
// means nothing.
func goesAway(res *message.Response, now time.Time) time.Duration {
	if res.StatusCode != http.StatusServiceUnavailable || !res.Close || !res.ProtoAtLeast(1, 1) {
		return 0
	}
	asked, _ := parseRetryAfter(res.Get(header.RetryAfter), now)
	return asked
}

// parseRetryAfter parses Retry-After (RFC 9110, section 10.2.3), in seconds or as a date.
// It reports whether the value is valid.
func parseRetryAfter(v string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}
