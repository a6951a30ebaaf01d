package admin

import (
	"fmt"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// explain tells what became of a request in plain words: what the client got,
// each attempt, and what would have saved it.
func explain(r *proxy.Record) []string {
	lines := []string{fmt.Sprintf("%s %s%s, at %s: the client got %s after %s.",
		r.Method, r.Host, r.Path, r.Start.Format(time.RFC3339), outcome(r), round(r.Duration))}
	if r.Queued > 0 {
		lines = append(lines, fmt.Sprintf("It waited %s for its turn before pool %s.", round(r.Queued), r.Pool))
	}
	if len(r.Attempts) == 0 && r.Pool != "" && r.Reason.Fault() != reason.FaultClient {
		lines = append(lines, fmt.Sprintf("No upstream of pool %s was asked.", r.Pool))
	}
	for i := range r.Attempts {
		lines = append(lines, fmt.Sprintf("Attempt %d: %s", i+1, attempt(r, &r.Attempts[i])))
		if i == 0 && r.Omitted > 0 {
			lines = append(lines, fmt.Sprintf("(%d attempts are left out here.)", r.Omitted))
		}
	}
	if r.Held > 0 {
		lines = append(lines, fmt.Sprintf("In all it was held for %s, waiting for an upstream.", round(r.Held)))
	}
	switch {
	case r.Absorbed != reason.ByNothing:
		lines = append(lines, fmt.Sprintf("The client noticed nothing: %s hid %s.", r.Absorbed, hidden(r)))
	case r.SavedBy != "":
		lines = append(lines, "What would have saved it: "+r.SavedBy+".")
	}
	return lines
}

func hidden(r *proxy.Record) string {
	if r.Hidden == reason.None {
		return "a slow answer"
	}
	return r.Hidden.String()
}

func outcome(r *proxy.Record) string {
	switch {
	case r.Reason == reason.ClientGone:
		return "nothing, because it left,"
	case r.Reason == reason.None:
		return fmt.Sprint(r.Status)
	}
	s := fmt.Sprintf("%d (%s)", r.Status, r.Reason)
	if t := r.Reason.Text(); t != "" {
		s += ": " + t
	}
	return s
}

func attempt(r *proxy.Record, a *proxy.Attempt) string {
	s := a.Upstream
	if a.Pool != "" {
		s += " of pool " + a.Pool
	}
	if a.Reused {
		s += fmt.Sprintf(", on a connection unused for %s", round(a.Idle))
	}
	switch {
	case a.Status != 0 && a.Reason == reason.None:
		s += fmt.Sprintf(", answered %d after %s", a.Status, round(a.Took))
	case a.Status != 0:
		s += fmt.Sprintf(", answered %d after %s (%s)", a.Status, round(a.Took), a.Reason)
	default:
		s += fmt.Sprintf(", failed after %s with %s", round(a.Took), a.Reason)
	}
	if a.Err != nil {
		s += ": " + text(a.Err)
	}
	if a.Status == 0 && a.Sent == 0 {
		s += "; it had got nothing of the request"
	}
	return s + ". " + decisions[a.Decision]
}

// decisions are what followed an attempt, in plain words.
var decisions = map[reason.Decision]string{
	reason.Answered:       "This answer went to the client.",
	reason.Retried:        "It was sent again.",
	reason.NotSafe:        "It was not sent again: it may have been executed, and its method does not allow that twice.",
	reason.BodyGone:       "It was not sent again: its body was larger than what is kept (retry.max_body).",
	reason.NoAttemptsLeft: "It was not sent again: that was the last attempt (retry.attempts).",
	reason.BudgetSpent:    "It was not sent again: the pool's retry budget was spent (retry.budget).",
	reason.Strained:       "It was not sent again: the pool is overloaded, and a retry would have added to it.",
	reason.Resumed:        "Its answer broke off, and the rest of it was asked for elsewhere.",
	reason.LostRace:       "Another upstream had been asked too, and answered first.",
	reason.Hedged:         "Another upstream had been asked already.",
	reason.NobodyLeft:     "There was no other upstream to send it to.",
	reason.OutOfTime:      "There was no time left to send it again.",
	reason.ClientsFault:   "It was not sent again: the client had left or sent a bad body.",
	reason.OwnFault:       "It was not sent again: goodgate itself could not carry it out.",
	reason.Deadly:         "It was kept from a third upstream, since it had ended connections on two.",
}

func round(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
