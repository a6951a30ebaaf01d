package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/reason"
)

// Rank joins the findings with the same cause, and sorts all of them: by severity, then
// causes before consequences, then by confidence, then by count.
func (r *Report) Rank() {
	r.Findings = unite(r.Findings, sameFailure, join)
	r.Findings = unite(r.Findings, sameCure, joinPlaces)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity, a.Severity),
			cmp.Compare(consequence(a), consequence(b)),
			cmp.Compare(b.Confidence, a.Confidence),
			cmp.Compare(b.Count, a.Count))
	})
	for _, list := range []*[]string{&r.Unknown, &r.Looked} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// consequence is 1 for a finding that follows from others.
func consequence(f Finding) int {
	if f.Follows {
		return 1
	}
	return 0
}

type key struct{ what, upstream, where string }

// sameFailure returns equal keys for a failure in a log and the same failure in an
// examination of the upstream.
func sameFailure(f Finding) key {
	if f.Reason == reason.None || f.Upstream == "" || f.Severity == Notice {
		return key{f.Code, f.Upstream, f.Where}
	}
	return key{f.Reason.String(), f.Upstream, ""}
}

// sameCure returns equal keys for findings at several places with the same remedy.
// Failures of several upstreams stay separate, unless they are known to have one cause.
func sameCure(f Finding) key {
	switch {
	case f.Shared != "":
		return key{f.Code, f.Shared, ""}
	case f.Directive == "" || f.Severity == Error && f.Upstream != "":
		return key{f.Code, f.Upstream, f.Where}
	}
	return key{f.Code + f.Severity.String(), "", f.Directive}
}

// unite joins findings with equal keys.
func unite(list []Finding, same func(Finding) key, join func(a, b Finding) Finding) []Finding {
	at := map[key]int{}
	var united []Finding
	for _, f := range list {
		k := same(f)
		if i, known := at[k]; known {
			united[i] = join(united[i], f)
			continue
		}
		at[k] = len(united)
		united = append(united, f)
	}
	return united
}

// join returns the finding with the higher confidence, with the evidence of both.
func join(a, b Finding) Finding {
	if b.Confidence > a.Confidence || b.Confidence == a.Confidence && b.Severity > a.Severity {
		a, b = b, a
	}
	a.Severity = max(a.Severity, b.Severity)
	a.Agree(b)
	if !strings.Contains(a.Seen, b.Seen) {
		a.Seen += "; " + b.Seen
	}
	a.Directive = cmp.Or(a.Directive, b.Directive)
	a.Count = max(a.Count, b.Count)
	return joinTimes(joinWhere(a, b), b)
}

// joinPlaces returns one finding for the places of two with the same remedy.
func joinPlaces(a, b Finding) Finding {
	if b.Confidence > a.Confidence {
		a, b = b, a
	}
	if b.Upstream != a.Upstream && b.Upstream != "" {
		a.Seen += "; the same at " + b.Upstream
	}
	a.Count += b.Count
	return joinTimes(joinWhere(a, b), b)
}

const maxPlaces = 5 // named places per finding

func joinWhere(a, b Finding) Finding {
	switch {
	case a.Where == "":
		a.Where = b.Where
	case b.Where == "" || strings.Contains(a.Where, b.Where):
	case strings.Count(a.Where, ", ") < maxPlaces-1:
		a.Where += ", " + b.Where
	case !strings.HasSuffix(a.Where, ", ..."):
		a.Where += ", ..."
	}
	return a
}

func joinTimes(a, b Finding) Finding {
	if a.First.IsZero() || !b.First.IsZero() && b.First.Before(a.First) {
		a.First = b.First
	}
	if b.Last.After(a.Last) {
		a.Last = b.Last
	}
	return a
}
