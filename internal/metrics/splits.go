package metrics

import (
	"sync/atomic"

	"github.com/goodgate/goodgate/internal/split"
	"github.com/goodgate/goodgate/internal/verdict"
)

// Metrics of splits. They are never changed. Requests, errors and latency by side are
// in the other metrics, which have the labels route and pool.
var (
	splitShare   = newDesc(namespace+"split_share_ratio", "Share of a split route's requests that the pool gets.", "route", "pool")
	splitVerdict = newDesc(namespace+"split_verdict", "The pool compared with the first one of the split: 1 for the present verdict.", "route", "pool", "verdict")
	splitGuarded = newDesc(namespace+"split_guarded", "Whether the guard of the split sent all requests back to its first pool.", "route")
)

// splits reads the present splits when it is collected.
type splits struct {
	reports atomic.Pointer[func() []split.Report]
}

// SetSplits sets the function that returns the present splits. It may be called again.
func (m *Metrics) SetSplits(reports func() []split.Report) { m.splits.reports.Store(&reports) }

// Describe and Collect implement [collector].
func (c *splits) Describe(ch chan<- *desc) {
	for _, d := range []*desc{splitShare, splitVerdict, splitGuarded} {
		ch <- d
	}
}

func (c *splits) Collect(ch chan<- metric) {
	reports := c.reports.Load()
	if reports == nil {
		return
	}
	for _, r := range (*reports)() {
		gauge(ch, splitGuarded, number(r.Standing == split.Guarded), r.Route)
		for i, side := range r.Sides {
			gauge(ch, splitShare, side.Share, r.Route, side.Pool)
			if i == 0 {
				continue
			}
			for _, w := range []verdict.Word{verdict.Unknown, verdict.Same, verdict.Worse} {
				text, _ := w.MarshalText()
				gauge(ch, splitVerdict, number(side.Verdict == w), r.Route, side.Pool, string(text))
			}
		}
	}
}
