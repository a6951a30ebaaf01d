package proxy

import (
	"slices"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// TestAbsorb: the first failure counts. A wait is the means only if all failures were
// unreachable upstreams.
func TestAbsorb(t *testing.T) {
	t.Parallel()
	const held = time.Second
	answered := Attempt{Status: 200}
	failed := func(r reason.Reason) Attempt { return Attempt{Reason: r} }
	for name, c := range map[string]struct {
		reason   reason.Reason
		by       reason.Means // set by the means that answered
		held     time.Duration
		attempts []Attempt
		want     reason.Means
		hidden   reason.Reason
	}{
		"nothing failed":            {attempts: []Attempt{answered}},
		"no attempt":                {},
		"refused, then another":     {attempts: []Attempt{failed(reason.ConnectRefused), answered}, want: reason.ByRetry, hidden: reason.ConnectRefused},
		"status, then another":      {attempts: []Attempt{failed(reason.UpstreamStatus), answered}, want: reason.ByRetry, hidden: reason.UpstreamStatus},
		"cut off, then another":     {attempts: []Attempt{failed(reason.ResponseTruncated), answered}, want: reason.ByCommit, hidden: reason.ResponseTruncated},
		"stalled, then another":     {attempts: []Attempt{failed(reason.ResponseStalled), answered}, want: reason.ByCommit, hidden: reason.ResponseStalled},
		"the first counts":          {attempts: []Attempt{failed(reason.ConnectTimeout), failed(reason.ResponseTruncated), answered}, want: reason.ByRetry, hidden: reason.ConnectTimeout},
		"waited first":              {held: held, attempts: []Attempt{answered}, want: reason.ByHold, hidden: reason.NoUpstream},
		"refused, then waited":      {held: held, attempts: []Attempt{failed(reason.ConnectRefused), answered}, want: reason.ByHold, hidden: reason.ConnectRefused},
		"all unreachable, waited":   {held: held, attempts: []Attempt{failed(reason.ConnectTimeout), failed(reason.ConnectUnreachable), answered}, want: reason.ByHold, hidden: reason.ConnectTimeout},
		"a pause before a retry":    {held: held, attempts: []Attempt{failed(reason.UpstreamStatus), answered}, want: reason.ByRetry, hidden: reason.UpstreamStatus},
		"refused and cut, waited":   {held: held, attempts: []Attempt{failed(reason.ConnectRefused), failed(reason.ResponseTruncated), answered}, want: reason.ByRetry, hidden: reason.ConnectRefused},
		"hedged":                    {by: reason.ByHedge, attempts: []Attempt{failed(reason.ResponseTimeout), answered}, want: reason.ByHedge, hidden: reason.ResponseTimeout},
		"a client's fault is none":  {attempts: []Attempt{failed(reason.ClientGone), answered}},
		"escaped":                   {reason: reason.ConnectRefused, attempts: []Attempt{failed(reason.ConnectRefused)}},
		"escaped after a wait":      {reason: reason.HoldExpired, held: held},
		"the client left meanwhile": {reason: reason.ClientGone, attempts: []Attempt{failed(reason.ConnectRefused), failed(reason.ClientGone)}},
		"goodgate itself failed":    {reason: reason.Internal, by: reason.ByRetry, attempts: []Attempt{failed(reason.ConnectRefused)}},
	} {
		r := Record{Reason: c.reason, Absorbed: c.by, Held: c.held, Attempts: c.attempts}
		r.absorb()
		if r.Absorbed != c.want || r.Hidden != c.hidden {
			t.Errorf("%s: got %v hidden by %v, want %v by %v", name, r.Hidden, r.Absorbed, c.hidden, c.want)
		}
	}
}

// TestEveryDecisionNamesTheRemedy fails when a new decision has no text.
func TestEveryDecisionNamesTheRemedy(t *testing.T) {
	t.Parallel()
	for _, d := range reason.Decisions() {
		ends := !slices.Contains([]reason.Decision{reason.Answered, reason.Retried, reason.Resumed, reason.LostRace, reason.Hedged, reason.ClientsFault, reason.OwnFault}, d)
		if (saves[d] != "") != ends {
			t.Errorf("%v: got %q", d, saves[d])
		}
	}
}
