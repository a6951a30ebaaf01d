package admin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// explain describes a request in plain words: the client's result, each attempt, the
// cause, and a setting that would have helped.
func explain(r *proxy.Record) []string {
	lines := []string{fmt.Sprintf("%s %s%s, at %s: the client got %s after %s.",
		r.Method, r.Host, r.Path, r.Start.Format(time.RFC3339), outcome(r), round(r.Duration))}
	if r.Queued > 0 {
		lines = append(lines, fmt.Sprintf("It waited %s in the queue of pool %s.", round(r.Queued), r.Pool))
	}
	if len(r.Attempts) == 0 && r.Pool != "" && r.Reason.Fault() != reason.FaultClient {
		lines = append(lines, fmt.Sprintf("goodgate sent it to no upstream of pool %s.", r.Pool))
	}
	for i := range r.Attempts {
		lines = append(lines, fmt.Sprintf("Attempt %d: %s", i+1, attempt(r, i)))
		if i == 0 && r.Omitted > 0 {
			lines = append(lines, fmt.Sprintf("(%s not shown here.)", countedAre(r.Omitted, "attempt")))
		}
	}
	if r.Held > 0 {
		lines = append(lines, fmt.Sprintf("In total it waited %s for an upstream.", round(r.Held)))
	}
	if r.Paused > 0 {
		lines = append(lines, fmt.Sprintf("It waited %s because an operator had paused pool %s.", round(r.Paused), r.Pool))
	}
	switch {
	case r.MadeFaster():
		return append(lines, "Nothing failed: another upstream answered first, so the client got its answer sooner.")
	case r.Absorbed != reason.ByNothing:
		lines = append(lines, fmt.Sprintf("The client noticed nothing: %s hid %s.", r.Absorbed, r.Hidden))
	}
	if row, ok := behind(r); ok {
		lines = append(lines, fmt.Sprintf("The cause: %s. %s", row.Headline, row.Cause))
		if row.Do != "" {
			lines = append(lines, "Next step: "+row.Do)
		}
	}
	if r.Absorbed == reason.ByNothing && r.SavedBy != "" {
		lines = append(lines, "What would have saved it: "+r.SavedBy+".")
	}
	return lines
}

// behind returns the row of the table for the failure that the client saw, or that was
// hidden from it.
func behind(r *proxy.Record) (situation.Row, bool) {
	f := situation.Facts{Pool: r.Pool, Upstream: r.Upstream, Name: unresolved(r.Err), Error: text(r.Err), N: 1, Of: 1}
	id, i := situation.OfReason(r.Reason, r.Err), culprit(r)
	if r.Rescued() {
		id, i = situation.OfReason(r.Hidden, nil), firstFailed(r)
	}
	if i >= 0 {
		a := r.Attempts[i]
		if a.Reason == reason.None {
			a.Reason = r.Reason
		}
		id, f.Upstream, f.Status, f.Error = situation.OfAttempt(&a), a.Upstream, a.Status, text(a.Err)
	}
	if id == situation.Healthy || id == situation.NoRoute {
		return situation.Row{}, false
	}
	return situation.Of(id).With(f), true
}

// firstFailed returns the index of the attempt that began a hidden failure, -1 if none
// did.
func firstFailed(r *proxy.Record) int {
	for i := range r.Attempts {
		if r.Attempts[i].Reason == r.Hidden {
			return i
		}
	}
	return -1
}

func outcome(r *proxy.Record) string {
	switch {
	case r.Reason == reason.ClientGone:
		return "nothing, because it left,"
	case r.Reason == reason.None:
		return strconv.Itoa(r.Status)
	}
	s := fmt.Sprintf("%d (%s)", r.Status, r.Reason)
	if t := r.Reason.Text(); t != "" {
		s += ", " + strconv.Quote(strings.TrimSuffix(t, ".")) + ","
	}
	return s
}

// attempt describes one attempt of a request.
func attempt(r *proxy.Record, i int) string {
	a := &r.Attempts[i]
	s := a.Upstream
	if a.Pool != "" {
		s += " of pool " + a.Pool
	}
	if a.Reused {
		s += fmt.Sprintf(", on a connection idle for %s", round(a.Idle))
	}
	switch {
	case a.Decision == reason.LostRace:
		return s + abandoned(r, i)
	case a.Status != 0 && a.Reason == reason.None:
		s += fmt.Sprintf(", answered %d after %s", a.Status, round(a.Took))
	case a.Status != 0:
		s += fmt.Sprintf(", answered %d after %s (%s)", a.Status, round(a.Took), a.Reason)
	default:
		s += fmt.Sprintf(", failed after %s with %s", round(a.Took), a.Reason)
	}
	if a.Err != nil {
		s += ": " + brief(a.Err)
	}
	if a.Status == 0 && a.Sent == 0 {
		s += "; it had received nothing of the request"
	}
	return s + ". " + decisions[a.Decision]
}

// abandoned describes an attempt that goodgate gave up because another upstream had
// answered.
func abandoned(r *proxy.Record, i int) string {
	s := fmt.Sprintf(": no answer after %s; abandoned because another upstream had answered.", round(r.Attempts[i].Took))
	if why := suspicions[suspected(r, i)]; why != "" {
		s += " The other one was asked because " + why + "."
	}
	return s
}

// decisions describe the step after an attempt in plain words.
var decisions = map[reason.Decision]string{
	reason.Answered:       "This answer went to the client.",
	reason.Retried:        "It was retried.",
	reason.NotSafe:        "It was not retried: it may have been executed, and its method must not run twice.",
	reason.BodyGone:       "It was not retried: its body was larger than retry.max_body.",
	reason.NoAttemptsLeft: "It was not retried: that was the last attempt (retry.attempts).",
	reason.BudgetSpent:    "It was not retried: the pool's retry budget was spent (retry.budget).",
	reason.Strained:       "It was not retried: the pool was overloaded, and a retry would have added to the load.",
	reason.Resumed:        "Its answer broke off, and goodgate fetched the rest from another upstream.",
	reason.LostRace:       "Another upstream had been asked as well, and answered first.",
	reason.Hedged:         "Another upstream had already been asked.",
	reason.NobodyLeft:     "It was not retried: there was no other upstream.",
	reason.OutOfTime:      "It was not retried: there was no time left.",
	reason.ClientsFault:   "It was not retried: the client had left, or had sent an invalid body.",
	reason.OwnFault:       "It was not retried: goodgate itself failed.",
	reason.Deadly:         "It was not sent to a third upstream, because it had ended connections on two.",
}

func countedAre(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return counted(n, noun) + " are"
}

// round formats a duration with only its meaningful digits.
func round(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return strconv.FormatFloat(float64(d.Round(10*time.Millisecond))/float64(time.Second), 'f', -1, 64) + " s"
	case d >= time.Millisecond:
		return strconv.FormatFloat(float64(d.Round(100*time.Microsecond))/float64(time.Millisecond), 'f', -1, 64) + " ms"
	}
	return strconv.FormatInt(int64(d.Round(time.Microsecond)/time.Microsecond), 10) + " µs"
}
