package logging

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// Only selects the requests of an output: those that meet any condition. The zero value
// selects all.
type Only struct {
	Failed     bool     // requests that failed or nearly failed, which are never sampled
	Status     [][2]int // ranges of statuses, both ends included
	SlowerThan time.Duration
}

// filtered passes on the selected requests.
func (o Only) filtered(log func(*proxy.Record)) func(*proxy.Record) {
	if !o.Failed && len(o.Status) == 0 && o.SlowerThan == 0 {
		return log
	}
	return func(r *proxy.Record) {
		if o.takes(r) {
			log(r)
		}
	}
}

func (o Only) takes(r *proxy.Record) bool {
	return o.Failed && !plain(r) || o.SlowerThan > 0 && r.Duration > o.SlowerThan ||
		slices.ContainsFunc(o.Status, func(s [2]int) bool { return r.Status >= s[0] && r.Status <= s[1] })
}

// sampled passes on a share of the requests, and every one that failed, nearly failed,
// or got an upstream's own error.
func sampled(share float64, log func(*proxy.Record)) func(*proxy.Record) {
	if share >= 1 {
		return log
	}
	return func(r *proxy.Record) {
		if !plain(r) || rand.Float64() < share {
			log(r)
		}
	}
}

// plain reports whether nothing about a request is unusual.
func plain(r *proxy.Record) bool {
	return r.Reason == reason.None && r.Absorbed == reason.ByNothing && r.Status < 500 && len(r.Attempts) < 2
}
