// Package proxylog reads what Caddy, Traefik, Envoy, HAProxy, goodgate and the
// controller of ingress-nginx log about requests that failed.
//
// What they write is data: a [Row] for each flag, state or error, with what it
// means, its cure and an example line. A [Tally] finds out line by line who wrote
// it. Values are not safe for concurrent use.
package proxylog

import (
	"cmp"
	"slices"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// Row is one thing that a proxy can say about a request that failed.
type Row struct {
	Proxy     string // "Envoy"
	Match     string // a flag, a termination state, or what an error contains
	And       string // what must be there, too; "" = nothing
	Cause     nginxlog.Cause
	Means     string
	Do        string
	Directive string // what to write where; "" = nothing to be configured
	Example   string // a line of the log
}

// Ended are the requests that ended alike.
type Ended struct {
	nginxlog.Failures
	Row     *Row
	Backend string // pool, cluster or service, as the proxy calls it
}

type key struct {
	row               *Row
	upstream, backend string
}

// maxKeys bounds what is told apart.
const maxKeys = 4096

// Ended returns what was counted, the most frequent first.
func (t *Tally) Ended() []*Ended {
	var all []*Ended
	for _, e := range t.ended {
		e.Finish(t.End, t.Window)
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Ended) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Row.Match, b.Row.Match), cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Backend, b.Backend))
	})
	return all
}
