package admin

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/goodgate/goodgate/internal/situation"
)

// Bounds on the members that a group names, and on the groups: when every upstream of a
// large installation is down, a few lines report it.
const (
	groupShown = 24
	mostGroups = 100
)

// Group is a situation that one or several pools or upstreams share. Its Trouble is that
// of the first.
type Group struct {
	Trouble
	Summary string `json:"summary,omitempty"` // one sentence for several; empty for one
	Count   int    `json:"count"`
	Members []Spot `json:"members,omitempty"` // the first of several
}

// Spot is the place of a trouble.
type Spot struct {
	Pool     string `json:"pool"`
	Upstream string `json:"upstream,omitempty"`
}

// kind is the common part of alike troubles.
type kind struct {
	situation, level string
	over, ofUpstream bool
}

func (t *Trouble) kind() kind { return kind{t.Situation, t.Level, t.Over, t.Upstream != ""} }

// fewAlike is the largest group that a terminal shows one by one.
const fewAlike = 3

// Folded groups troubles for a terminal: it joins more than fewAlike alike ones, and
// leaves the others single, in the same order.
func Folded(list []Trouble) (folded []Group) {
	many := map[kind]*Group{}
	for _, g := range grouped(list) {
		if g.Count > fewAlike && g.Situation != "" {
			many[g.kind()] = &g
		}
	}
	for _, t := range list {
		switch g, ok := many[t.kind()]; {
		case !ok:
			folded = append(folded, Group{Trouble: t, Count: 1})
		case g != nil:
			folded = append(folded, *g)
			many[t.kind()] = nil
		}
	}
	return folded
}

// Place returns the place, empty for goodgate itself and for several.
func (g *Group) Place() string {
	if g.Count > 1 {
		return ""
	}
	return spot(g.Pool, g.Upstream)
}

// Title returns a short sentence: what is wrong, and how many it concerns.
func (g *Group) Title() string { return cmp.Or(g.Summary, g.Headline) }

// Evidence returns the cause with its evidence; for several, those of the first, and the
// names of all.
func (g *Group) Evidence() string {
	if g.Count == 1 {
		return g.Text
	}
	var names []string
	for _, m := range g.Members {
		names = append(names, spot(m.Pool, m.Upstream))
	}
	list := strings.Join(names, ", ")
	if more := g.Count - len(names); more > 0 {
		list += fmt.Sprintf(", and %d more", more)
	}
	return fmt.Sprintf("The first one, %s: %s All of them: %s.", names[0], g.Text, list)
}

func spot(pool, upstream string) string { return strings.TrimSpace(pool + " " + upstream) }

// grouped joins alike troubles, in the order of the first of each group.
func grouped(list []Trouble) []Group {
	groups := []Group{}
	places := map[kind]int{}
	pools := map[kind]map[string]bool{}
	for _, t := range list {
		k := t.kind()
		i, ok := places[k]
		if !ok {
			if len(groups) == mostGroups {
				break
			}
			i = len(groups)
			places[k], pools[k] = i, map[string]bool{}
			groups = append(groups, Group{Trouble: t})
		}
		g := &groups[i]
		g.Count++
		pools[k][t.Pool] = true
		if len(g.Members) < groupShown {
			g.Members = append(g.Members, Spot{t.Pool, t.Upstream})
		}
	}
	for k, i := range places {
		g := &groups[i]
		if g.Count == 1 {
			g.Members = nil
			continue
		}
		g.Summary = summary(g, len(pools[k]))
	}
	return groups
}

// summary says how many are in the situation of g, and where.
func summary(g *Group, pools int) string {
	who := count(g.Count, "pool")
	if g.Upstream != "" {
		who = count(g.Count, "upstream") + " in " + count(pools, "pool")
	}
	if what := manyWords[situation.ID(g.Situation)]; what != "" && !g.Over {
		return who + " " + what
	}
	return who + ": " + lower(g.Headline)
}

// manyWords are the headlines for several. A situation without an entry gets its headline
// with a colon and the number.
var manyWords = map[situation.ID]string{
	situation.NameUnknown:     "have a name that does not resolve",
	situation.ResolverSilent:  "have a name for which the resolver does not answer",
	situation.Refused:         "refuse connections",
	situation.SocketMissing:   "have a socket that does not exist",
	situation.Unreachable:     "cannot be reached over the network",
	situation.ConnectTimeout:  "do not accept connections in time",
	situation.HandshakeFails:  "fail the TLS handshake",
	situation.NotTLS:          "do not speak TLS",
	situation.CertificateBad:  "have a certificate that is not accepted",
	situation.CertExpired:     "have a certificate that has expired",
	situation.CertNotYet:      "have a certificate that is not valid yet",
	situation.CertName:        "have a certificate for another name",
	situation.CertUnknownCA:   "have a certificate from an unknown authority",
	situation.ClosedEarly:     "close connections without an answer",
	situation.ClosesAll:       "close every connection without an answer",
	situation.KeepAliveRace:   "close idle connections just as goodgate reuses them",
	situation.StreamRefused:   "refuse requests",
	situation.ResponseTimeout: "do not answer in time",
	situation.Hangs:           "hang",
	situation.NotHTTP:         "send answers that are not HTTP",
	situation.HeaderTooLarge:  "send response headers that are too large",
	situation.Truncated:       "break off their responses",
	situation.Stalled:         "stop in the middle of responses",
	situation.AnswersError:    "answer with errors of their own",
	situation.PassedOn:        "answer some requests with an error of their own",
	situation.CheckStatus:     "answer their health check with an error",
	situation.CheckWrong:      "answer their health check differently than expected",
	situation.CheckFails:      "fail their health check",
	situation.Leaving:         "are about to shut down",
	situation.FoundUnready:    "are not ready, according to their source or agent",
	situation.FoundEnding:     "are terminating, according to their discovery source",
	situation.BreakerOpen:     "are ejected because requests to them failed",
	situation.Trial:           "are being tried again",
	situation.EarlyTrial:      "are tried early because no other is left",
	situation.NotChecked:      "have not been checked yet",
	situation.Slow:            "answer slowly",
	situation.Flapping:        "are flapping",
	situation.Drained:         "were drained by an operator",
	situation.SwitchedOff:     "were switched off by an operator",

	situation.NoUpstream:    "have requests that find no upstream",
	situation.HoldExpired:   "have requests that wait for an upstream and fail",
	situation.LookupUnknown: "have a name that does not resolve",
	situation.LookupSilent:  "have a name for which the resolver does not answer",
	situation.PoolEmpty:     "have no upstreams",
	situation.NoneAvailable: "have no available upstream",
	situation.AllTakenOut:   "have only upstreams that an operator took out of service",
	situation.Overloaded:    "are overloaded",
	situation.Queueing:      "have requests that queue",
	situation.HeldOver:      "have requests that wait for an upstream",
	situation.AtLimit:       "are at their limit",
	situation.AllSlow:       "have upstreams that all answer slowly",
	situation.ClientsLeave:  "have clients that leave before the answer",
	situation.FailAlike:     "have upstreams that all fail in the same way",
}
