package proxy

import (
	"fmt"
	"net/http"
)

// saves says for each decision what would have kept the failure it ended with
// from the client, as far as the decision alone tells.
var saves = [numDecisions]string{
	NotSafe:        "retry_safe on the route, if the application may run it twice",
	BodyGone:       "a larger retry.max_body",
	NoAttemptsLeft: "more retry.attempts, or an upstream that works",
	BudgetSpent:    "a larger retry.budget",
	Strained:       "more or faster upstreams: they are overloaded",
	NobodyLeft:     "another upstream, or a longer hold.for",
	OutOfTime:      "a longer timeout, or a retry.per_try",
	Deadly:         "a mended application: the request ends connections wherever it goes",
}

// savedBy says what would have saved a request that escaped; empty when nothing
// that is known of would have.
func (x *exchange) savedBy() string {
	a := x.last()
	switch reason := x.record.Reason; {
	case !x.record.Escaped() || reason == ShuttingDown || a != nil && a.Reason == ShuttingDown:
		return ""
	case a != nil && isShortage(a.Err):
		return "more file descriptors or memory for goodgate"
	case reason == Overloaded:
		return "a larger max_in_flight or hold.max_requests"
	case reason == DNSError || reason == DNSTimeout:
		return "a name server that answers"
	case a == nil:
		return x.orFallback(saves[NobodyLeft])
	case a.Decision == BodyGone && x.request.ContentLength > 0:
		return fmt.Sprintf("retry.max_body >= %dB", x.request.ContentLength)
	case a.Decision == OutOfTime && a.Reason.free():
		return x.orFallback(saves[NobodyLeft])
	case a.Decision == NotSafe && keyed(x.request):
		return "idempotency_key on the route, if the application runs requests with the same Idempotency-Key once"
	case a.Err == errNotRest:
		return "the same entity tag for the same bytes on every upstream"
	case a.Decision == NobodyLeft, a.Decision == NoAttemptsLeft, a.Decision == BudgetSpent, a.Decision == Strained:
		return x.orFallback(saves[a.Decision])
	case a.Decision != Answered:
		return saves[a.Decision]
	case a.Reason == UpstreamStatus:
		return fmt.Sprintf("%d in retry.statuses", a.Status)
	}
	return x.savedByCommit(a.Reason)
}

// orFallback adds that a fallback would have answered, where there is none and
// the client had not seen the beginning of another answer.
func (x *exchange) orFallback(s string) string {
	if x.route.Fallback != nil || x.record.Fallback != "" || x.writer.status < http.StatusInternalServerError {
		return s
	}
	return s + "; or a fallback"
}

// savedByCommit is savedBy for a response that broke after its beginning had
// gone to the client.
func (x *exchange) savedByCommit(r Reason) string {
	switch {
	case r == ResponseTimeout:
		return saves[OutOfTime]
	case r != ResponseTruncated && r != ResponseStalled && r != ResponseMalformed:
		return ""
	case !x.choice.Replayable:
		return saves[NotSafe]
	case streams(x.writer.Header()["Content-Type"]) || streams(x.request.Header["Accept"]):
		return ""
	}
	if x.request.Method == http.MethodGet {
		return "a larger commit.buffer, if it comes without pauses, or a strong ETag and Accept-Ranges: bytes"
	}
	return "a larger commit.buffer, if it comes without pauses"
}
