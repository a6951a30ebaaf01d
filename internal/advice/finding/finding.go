package finding

import (
	"fmt"
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
	Because    string        // why the confidence is not another; "" = not said
	Code       string        // which finding it is, for machines; stable
	Reason     reason.Reason // what the failure is called in goodgate; None = no request fails by it
	Upstream   string        // address of the upstream it is about; "" = none
	Where      string        // place in a configuration, or the name of a pool; "" = not known
	Seen       string        // the evidence
	Means      string        // what it says
	Do         string        // what to do
	Directive  string        // exactly what to write; "" = nothing to be configured
	Shared     string        // what is the cause of other findings with this code too; "" = nothing
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
	Looked   []string // what was looked at
	Timeline []Span   // failures that logs tell of

	Blind bool                // there was no upstream to look at
	Names map[string][]string // what an upstream's name stands for: its other names in logs
	Hosts map[string]bool     // upstreams whose name is from /etc/hosts, and not from a name server
}

// Span is a kind of failure that logs tell of.
type Span struct {
	Cause       string // one word
	Upstream    string // "" = none
	Count       int64
	First, Last time.Time

	Width   time.Duration // of a bucket
	Start   time.Time     // of the first bucket
	Buckets []uint32      // how many came in each
}

// Agree is why a finding is as sure as it is when another tells the same.
func (f *Finding) Agree(other Finding) {
	if f.Because != "" && other.Because != "" && f.Because != other.Because {
		f.Because = "independent observations agree"
	}
}

// Add puts another report's content into r.
func (r *Report) Add(other Report) {
	r.Findings = append(r.Findings, other.Findings...)
	r.Steps = append(r.Steps, other.Steps...)
	r.Unknown = append(r.Unknown, other.Unknown...)
	r.Looked = append(r.Looked, other.Looked...)
	r.Timeline = append(r.Timeline, other.Timeline...)
	r.Blind = r.Blind || other.Blind
	for name, list := range other.Names {
		if r.Names == nil {
			r.Names = map[string][]string{}
		}
		r.Names[name] = list
	}
	for name := range other.Hosts {
		if r.Hosts == nil {
			r.Hosts = map[string]bool{}
		}
		r.Hosts[name] = true
	}
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
