package finding

import (
	"fmt"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Severity is the effect of a finding on requests.
type Severity uint8

const (
	Notice  Severity = iota // useful to know; no request fails because of it
	Warning                 // requests fail under some circumstances
	Error                   // requests fail
)

// Confidence is the confidence in the conclusion. The evidence is always certain.
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

// Finding is one present or possible cause of failed requests.
type Finding struct {
	Severity   Severity
	Confidence Confidence
	Because    string        // the reason for the confidence; "" = none given
	Code       string        // stable identifier of this kind of finding, for machines
	Reason     reason.Reason // goodgate's reason for the failure; None = no request fails
	Upstream   string        // address of the upstream concerned; "" = none
	Where      string        // place in a configuration, or a pool's name; "" = unknown
	Seen       string        // the evidence
	Means      string        // the meaning of the evidence
	Do         string        // the remedy
	Directive  string        // the exact text to configure; "" = none
	Shared     string        // the common cause of this and other findings with this code; "" = none
	Follows    bool          // it is a consequence of other findings, which come first
	Count      int64         // failed requests; 0 = unknown
	First      time.Time     // time of the first and the last of them; zero = unknown
	Last       time.Time
}

// Step is one step of an examination.
type Step struct {
	Subject string // the target of the step
	Name    string // one word for the step
	Took    time.Duration
	Result  string
	Failed  bool
}

// Report is the result of an examination.
type Report struct {
	Findings []Finding
	Steps    []Step
	Unknown  []string // subjects that could not be examined, with the cause
	Looked   []string // examined subjects
	Timeline []Span   // failures in the logs

	Blind bool                // there was no upstream to examine
	Names map[string][]string // the other names of an upstream in logs, by its name
	Hosts map[string]bool     // upstreams whose name is from /etc/hosts and not from a name server
}

// Span is one kind of failure in the logs.
type Span struct {
	Cause       string // one word
	Upstream    string // "" = none
	Count       int64
	First, Last time.Time

	Width   time.Duration // width of a bucket
	Start   time.Time     // begin of the first bucket
	Buckets []uint32      // failures in each bucket
}

// Agree combines the reasons for the confidence of two findings with the same cause.
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

// NotKnown adds a subject that could not be examined.
func (r *Report) NotKnown(format string, args ...any) {
	r.Unknown = append(r.Unknown, fmt.Sprintf(format, args...))
}

// Worst returns the highest severity; found is false without findings.
func (r *Report) Worst() (worst Severity, found bool) {
	for _, f := range r.Findings {
		worst, found = max(worst, f.Severity), true
	}
	return worst, found
}
