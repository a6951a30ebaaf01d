package finding

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Severity says how bad a finding is.
type Severity uint8

const (
	Notice  Severity = iota // worth knowing; nothing fails by it
	Warning                 // makes requests fail under some circumstances
	Error                   // makes requests fail
)

// Confidence says how sure the conclusion is. What was seen is always certain.
type Confidence uint8

const (
	Possible Confidence = iota // one of several explanations
	Likely                     // the evidence points there, but not only there
	Certain                    // the evidence leaves no other explanation
)

func (s Severity) String() string { return [...]string{"notice", "warning", "error"}[s] }

func (c Confidence) String() string { return [...]string{"possible", "likely", "certain"}[c] }

// MarshalText writes the severity's word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText writes the confidence's word.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Finding is one thing that makes requests fail, or may.
type Finding struct {
	Severity   Severity
	Confidence Confidence
	Code       string        // which finding it is, for machines; stable
	Reason     reason.Reason // what the failure is called in goodgate; None = no request fails by it
	Upstream   string        // address of the upstream it is about; "" = none
	Where      string        // place in a configuration, or the name of a pool; "" = not known
	Seen       string        // the evidence
	Means      string        // what it says
	Do         string        // what to do
	Directive  string        // exactly what to write; "" = nothing to be configured
	Follows    bool          // it follows from others, which come first
	Count      int64         // requests that failed by it; 0 = not known
	First      time.Time     // of the first and last of them; zero = not known
	Last       time.Time
}

// Step is one thing that was tried.
type Step struct {
	Subject string // what it was tried on
	Name    string // what was tried, one word
	Took    time.Duration
	Result  string
	Failed  bool
}

// Report is everything that a look brought.
type Report struct {
	Findings []Finding
	Steps    []Step
	Unknown  []string // what could not be looked at, and why
}

// Add puts another report's content into r.
func (r *Report) Add(other Report) {
	r.Findings = append(r.Findings, other.Findings...)
	r.Steps = append(r.Steps, other.Steps...)
	r.Unknown = append(r.Unknown, other.Unknown...)
}

// Find adds a finding.
func (r *Report) Find(f Finding) { r.Findings = append(r.Findings, f) }

// NotKnown adds something that could not be looked at.
func (r *Report) NotKnown(format string, args ...any) {
	r.Unknown = append(r.Unknown, fmt.Sprintf(format, args...))
}

// Worst returns the highest severity; found is false when there are no findings.
func (r *Report) Worst() (worst Severity, found bool) {
	for _, f := range r.Findings {
		worst, found = max(worst, f.Severity), true
	}
	return worst, found
}

// Rank makes one of the findings that say the same, and puts what matters most
// first: by severity, then what is the cause of others, then by how often it
// was seen, then by how sure it is.
func (r *Report) Rank() {
	r.merge()
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity, a.Severity),
			cmp.Compare(consequence(a), consequence(b)),
			cmp.Compare(b.Count, a.Count),
			cmp.Compare(b.Confidence, a.Confidence))
	})
	slices.Sort(r.Unknown)
	r.Unknown = slices.Compact(r.Unknown)
}

// consequence is 1 for a finding that follows from others.
func consequence(f Finding) int {
	if f.Follows {
		return 1
	}
	return 0
}

// merge joins findings of the same reason and upstream: what a log tells and
// what a look at the upstream shows are one finding with more evidence.
func (r *Report) merge() {
	type key struct {
		reason   reason.Reason
		upstream string
		code     string
	}
	at := map[key]int{}
	var merged []Finding
	for _, f := range r.Findings {
		k := key{f.Reason, f.Upstream, ""}
		if f.Reason == reason.None || f.Upstream == "" || f.Severity == Notice {
			k.code = f.Code + f.Where
		}
		i, known := at[k]
		if !known {
			at[k] = len(merged)
			merged = append(merged, f)
			continue
		}
		merged[i] = join(merged[i], f)
	}
	r.Findings = merged
}

// join returns the more telling of two findings with the evidence of both.
func join(a, b Finding) Finding {
	if b.Severity > a.Severity || b.Severity == a.Severity && b.Confidence > a.Confidence {
		a, b = b, a
	}
	if b.Seen != a.Seen {
		a.Seen += "; " + b.Seen
	}
	a.Directive = cmp.Or(a.Directive, b.Directive)
	a.Where = cmp.Or(a.Where, b.Where)
	a.Count = max(a.Count, b.Count)
	if a.First.IsZero() || !b.First.IsZero() && b.First.Before(a.First) {
		a.First = b.First
	}
	if b.Last.After(a.Last) {
		a.Last = b.Last
	}
	return a
}
