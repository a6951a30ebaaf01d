package proxy

import (
	"slices"
	"testing"
	"time"
)

// TestAbsorb: the first failure counts; a wait is the means when nothing else
// than not being reached had gone wrong.
func TestAbsorb(t *testing.T) {
	t.Parallel()
	const held = time.Second
	answered := Attempt{Status: 200}
	failed := func(r Reason) Attempt { return Attempt{Reason: r} }
	for name, c := range map[string]struct {
		reason   Reason
		by       Means // set by what answered
		held     time.Duration
		attempts []Attempt
		want     Means
		hidden   Reason
	}{
		"nothing failed":            {attempts: []Attempt{answered}},
		"no upstream was asked":     {},
		"refused, then another":     {attempts: []Attempt{failed(ConnectRefused), answered}, want: ByRetry, hidden: ConnectRefused},
		"status, then another":      {attempts: []Attempt{failed(UpstreamStatus), answered}, want: ByRetry, hidden: UpstreamStatus},
		"cut off, then another":     {attempts: []Attempt{failed(ResponseTruncated), answered}, want: ByCommit, hidden: ResponseTruncated},
		"stalled, then another":     {attempts: []Attempt{failed(ResponseStalled), answered}, want: ByCommit, hidden: ResponseStalled},
		"the first counts":          {attempts: []Attempt{failed(ConnectTimeout), failed(ResponseTruncated), answered}, want: ByRetry, hidden: ConnectTimeout},
		"waited first":              {held: held, attempts: []Attempt{answered}, want: ByHold, hidden: NoUpstream},
		"refused, then waited":      {held: held, attempts: []Attempt{failed(ConnectRefused), answered}, want: ByHold, hidden: ConnectRefused},
		"all unreachable, waited":   {held: held, attempts: []Attempt{failed(ConnectTimeout), failed(ConnectUnreachable), answered}, want: ByHold, hidden: ConnectTimeout},
		"a pause before a retry":    {held: held, attempts: []Attempt{failed(UpstreamStatus), answered}, want: ByRetry, hidden: UpstreamStatus},
		"refused and cut, waited":   {held: held, attempts: []Attempt{failed(ConnectRefused), failed(ResponseTruncated), answered}, want: ByRetry, hidden: ConnectRefused},
		"hedged":                    {by: ByHedge, attempts: []Attempt{failed(ResponseTimeout), answered}, want: ByHedge, hidden: ResponseTimeout},
		"a client's fault is none":  {attempts: []Attempt{failed(ClientGone), answered}},
		"escaped":                   {reason: ConnectRefused, attempts: []Attempt{failed(ConnectRefused)}},
		"escaped after a wait":      {reason: HoldExpired, held: held},
		"the client left meanwhile": {reason: ClientGone, attempts: []Attempt{failed(ConnectRefused), failed(ClientGone)}},
		"goodgate itself failed":    {reason: Internal, by: ByRetry, attempts: []Attempt{failed(ConnectRefused)}},
	} {
		r := Record{Reason: c.reason, Absorbed: c.by, Held: c.held, Attempts: c.attempts}
		r.absorb()
		if r.Absorbed != c.want || r.Hidden != c.hidden {
			t.Errorf("%s: got %v hidden by %v, want %v by %v", name, r.Hidden, r.Absorbed, c.hidden, c.want)
		}
	}
}

// TestEveryDecisionSaysWhatWouldHaveHelped fails until a new one does.
func TestEveryDecisionSaysWhatWouldHaveHelped(t *testing.T) {
	t.Parallel()
	for d := range numDecisions {
		ends := !slices.Contains([]Decision{Answered, Retried, Resumed, LostRace, Hedged, ClientsFault, OwnFault}, d)
		if (saves[d] != "") != ends {
			t.Errorf("%v: got %q", d, saves[d])
		}
	}
}
