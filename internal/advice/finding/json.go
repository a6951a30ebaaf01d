package finding

import (
	"encoding/json"
	"io"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
)

// WriteJSON writes a report for machines, as one object.
func (r *Report) WriteJSON(w io.Writer) error {
	out := jsonReport{Findings: make([]jsonFinding, 0, len(r.Findings)), Steps: make([]jsonStep, 0, len(r.Steps)), Unknown: r.Unknown, Looked: r.Looked}
	if out.Unknown == nil {
		out.Unknown = []string{}
	}
	for _, f := range r.Findings {
		j := jsonFinding{
			Severity: f.Severity, Confidence: f.Confidence, Because: f.Because, Code: f.Code, Upstream: f.Upstream, Where: f.Where,
			Seen: f.Seen, Means: f.Means, Do: f.Do, Directive: f.Directive, Count: f.Count, First: f.First, Last: f.Last,
		}
		if f.Reason != 0 {
			j.Reason = f.Reason.String()
		}
		out.Findings = append(out.Findings, j)
	}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, jsonStep{s.Subject, s.Name, float64(s.Took.Microseconds()) / 1000, s.Result, s.Failed})
	}
	e := json.NewEncoder(printable.Writer{To: w, Form: printable.JSON})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

type jsonReport struct {
	Findings []jsonFinding `json:"findings"`
	Steps    []jsonStep    `json:"steps"`
	Unknown  []string      `json:"unknown"`
	Looked   []string      `json:"looked,omitempty"`
}

type jsonFinding struct {
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	Because    string     `json:"because,omitempty"`
	Code       string     `json:"code"`
	Reason     string     `json:"reason,omitempty"`
	Upstream   string     `json:"upstream,omitempty"`
	Where      string     `json:"where,omitempty"`
	Seen       string     `json:"seen"`
	Means      string     `json:"means"`
	Do         string     `json:"do"`
	Directive  string     `json:"directive,omitempty"`
	Count      int64      `json:"count,omitempty"`
	First      time.Time  `json:"first,omitzero"`
	Last       time.Time  `json:"last,omitzero"`
}

type jsonStep struct {
	Subject string  `json:"subject"`
	Name    string  `json:"name"`
	TookMS  float64 `json:"took_ms"`
	Result  string  `json:"result"`
	Failed  bool    `json:"failed,omitempty"`
}
