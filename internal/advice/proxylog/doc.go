// Package proxylog reads the failed requests in logs of Caddy, Traefik, Envoy, HAProxy,
// goodgate and the ingress-nginx controller.
//
// The knowledge is a table: a [Row] for each flag, state or error, with its meaning,
// its remedy and an example line. A [Tally] recognizes the proxy of each line. Values
// are not safe for concurrent use.
package proxylog

import (
	"cmp"
	"slices"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// Row is one message of a proxy about a failed request.
type Row struct {
	Proxy     string // "Envoy"
	Match     string // a flag, a termination state, or a part of an error
	And       string // another required part; "" = none
	Cause     nginxlog.Cause
	Means     string
	Do        string
	Directive string // the text to configure; "" = none
	Example   string // a line of the log
}

// Ended summarizes the requests with the same result.
type Ended struct {
	nginxlog.Failures
	Row     *Row
	Backend string // pool, cluster or service, in the proxy's terms
}

type key struct {
	row               *Row
	upstream, backend string
}

// maxKeys bounds the number of distinct results.
const maxKeys = 4096

// Ended returns the counts, sorted by frequency in descending order.
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
