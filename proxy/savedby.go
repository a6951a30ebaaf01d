package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	limits "github.com/goodgate/goodgate/internal/limit"
)

// saves has the remedy for each decision after which a failure reached the client, if the
// decision alone determines the remedy.
var saves = map[reason.Decision]string{
	reason.NotSafe:        "retry_safe on the route, if the application may run it twice",
	reason.BodyGone:       "a larger retry.max_body",
	reason.NoAttemptsLeft: "more retry.attempts, or an upstream that works",
	reason.BudgetSpent:    "a larger retry.budget",
	reason.Strained:       "more or faster upstreams",
	reason.NobodyLeft:     "another upstream, or a longer hold.for",
	reason.OutOfTime:      "a longer timeout, or a retry.per_try",
	reason.Deadly:         "a mended application: the request ends connections wherever it goes",
}

// savedBy returns what would have saved a request that escaped, empty when nothing is
// known.
func (x *exchange) savedBy() string {
	s := x.savedByPool()
	if x.limits.keptOut == "" || !x.record.Escaped() {
		return s
	}
	if s != "" {
		s += ", or "
	}
	return s + "a fallback that lets it in: " + x.limits.keptOut
}

// savedByPool is savedBy for the request's own pool, without the fallback.
func (x *exchange) savedByPool() string {
	a := x.record.last()
	switch why := x.record.Reason; {
	case !x.record.Escaped() || why == reason.ShuttingDown || a != nil && a.Reason == reason.ShuttingDown:
		return ""
	case a != nil && isShortage(a.Err):
		return "more file descriptors (LimitNOFILE= in systemd, ulimit -n) or memory for goodgate"
	case why == reason.Overloaded:
		return savedByRoom(x.record.Err)
	case why == reason.DNSError || why == reason.DNSTimeout:
		return "a name server that answers"
	case a == nil && x.allTakenOut():
		return x.orFallback("an upstream that no operator has taken out (goodgate undrain)")
	case a == nil:
		return x.orFallback(saves[reason.NobodyLeft])
	case a.Decision == reason.BodyGone && x.request.ContentLength > 0:
		return fmt.Sprintf("retry.max_body >= %dB", x.request.ContentLength)
	case a.Decision == reason.OutOfTime && a.Reason.Free():
		return x.orFallback(saves[reason.NobodyLeft])
	case a.Decision == reason.NotSafe && keyed(x.request):
		return "idempotency_key on the route, if the application runs requests with the same Idempotency-Key once"
	case a.Err == errNotRest:
		return "the same entity tag for the same bytes on every upstream"
	case a.Decision == reason.NoAttemptsLeft && a.Reason.Failure() == reason.Unconnected && x.triedAll():
		return x.orFallback("an upstream that works")
	case a.Decision == reason.NobodyLeft, a.Decision == reason.NoAttemptsLeft, a.Decision == reason.BudgetSpent, a.Decision == reason.Strained:
		return x.orFallback(saves[a.Decision])
	case a.Decision != reason.Answered:
		return saves[a.Decision]
	case a.Reason == reason.UpstreamStatus:
		return fmt.Sprintf("%d in retry.statuses", a.Status)
	}
	return x.savedByCommit(a.Reason)
}

// allTakenOut reports whether an operator has drained or disabled every upstream of the
// request's pool.
func (x *exchange) allTakenOut() bool {
	if x.main == nil || x.main.pool == nil {
		return false
	}
	members := x.main.pool.Members()
	for i := range members {
		if members[i].Operator() == balancer.Ready {
			return false
		}
	}
	return len(members) > 0
}

// triedAll reports whether the request has been sent to every upstream of its pool.
func (x *exchange) triedAll() bool {
	if x.main == nil || x.main.pool == nil {
		return false
	}
	members := x.main.pool.Members()
	for i := range members {
		tried := func(a Attempt) bool { return a.Upstream == members[i].Addr() }
		if !slices.ContainsFunc(x.record.Attempts, tried) {
			return false
		}
	}
	return true
}

// savedByRoom is savedBy for an overload. It names the limit that was reached.
func savedByRoom(err error) string {
	switch {
	case errors.Is(err, limits.ErrMemory):
		return "a larger GOMEMLIMIT, or fewer clients at once: listeners[].max_connections or connections_per_client"
	case errors.Is(err, errMaxRequests):
		return "a larger limits.max_requests"
	case errors.Is(err, balancer.ErrFull):
		return "a larger hold.max_requests or hold.max_body"
	case errors.Is(err, limits.ErrFull):
		return "a larger queue.max_requests, or more or faster upstreams"
	case errors.Is(err, limits.ErrLate):
		return "a longer timeout, or more or faster upstreams"
	}
	return "a larger max_in_flight, or more or faster upstreams"
}

// orFallback suggests a fallback, if the route has none and the client has not seen the
// beginning of another answer.
func (x *exchange) orFallback(s string) string {
	if x.standby != nil || x.record.Fallback != "" || x.writer.status < http.StatusInternalServerError {
		return s
	}
	return s + ", or a fallback"
}

// savedByCommit is savedBy for a response that broke off after the client had seen its
// beginning.
func (x *exchange) savedByCommit(r reason.Reason) string {
	switch {
	case r == reason.ResponseTimeout:
		return saves[reason.OutOfTime]
	case r != reason.ResponseTruncated && r != reason.ResponseStalled && r != reason.ResponseMalformed:
		return ""
	case !x.delivery.choice.Replayable:
		return saves[reason.NotSafe]
	case x.answer.stream || x.main.streaming:
		return ""
	}
	if x.request.Method == http.MethodGet {
		return "a larger commit.buffer, if the response comes without pauses, or a strong ETag and Accept-Ranges: bytes"
	}
	return "a larger commit.buffer, if the response comes without pauses"
}
