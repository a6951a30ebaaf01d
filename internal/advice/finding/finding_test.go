package finding_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

func codes(r finding.Report) string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, f.Code)
	}
	return strings.Join(list, " ")
}

func TestRank(t *testing.T) {
	f := func(want string, findings ...finding.Finding) {
		t.Helper()
		r := finding.Report{Findings: findings}
		r.Rank()
		if got := codes(r); got != want {
			t.Errorf("order %q, want %q", got, want)
		}
	}
	notice := finding.Finding{Code: "notice"}
	warning := finding.Finding{Code: "warning", Severity: finding.Warning}
	rare := finding.Finding{Code: "rare", Severity: finding.Error, Count: 1, Confidence: finding.Certain}
	often := finding.Finding{Code: "often", Severity: finding.Error, Count: 100}
	follows := finding.Finding{Code: "follows", Severity: finding.Error, Count: 1000, Follows: true}
	f("rare often warning notice", notice, often, warning, rare)
	often.Confidence = finding.Certain
	f("often rare warning notice", notice, rare, warning, often)
	f("rare follows", follows, rare)
	f("")
}

// TestMerge joins a finding from a log with the same finding from an examination.
func TestMerge(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	log := finding.Finding{Severity: finding.Error, Confidence: finding.Likely, Code: "refused", Reason: reason.ConnectRefused, Upstream: "http://a:1", Seen: "log", Count: 7, First: day, Last: day.Add(time.Hour)}
	look := finding.Finding{Severity: finding.Error, Confidence: finding.Certain, Code: "nothing_listens", Reason: reason.ConnectRefused, Upstream: "http://a:1", Seen: "look", Directive: "x"}
	elsewhere := look
	elsewhere.Upstream = "http://b:1"
	r := finding.Report{Findings: []finding.Finding{log, look, elsewhere}}
	r.Rank()
	if len(r.Findings) != 2 {
		t.Fatalf("findings %s, want two", codes(r))
	}
	got := r.Findings[0]
	if got.Code != "nothing_listens" || got.Seen != "look; log" || got.Count != 7 || !got.First.Equal(day) || got.Directive != "x" {
		t.Errorf("merged into %+v", got)
	}
}

func TestText(t *testing.T) {
	r := finding.Report{
		Steps: []finding.Step{{Subject: "pool app", Name: "connect", Took: 1500 * time.Microsecond, Result: "refused", Failed: true}},
		Findings: []finding.Finding{{
			Severity: finding.Error, Confidence: finding.Certain, Code: "nothing_listens", Reason: reason.ConnectRefused, Upstream: "http://a:1",
			Seen: "connection refused", Means: "nothing listens there at this time of the day", Do: "start it", Directive: "line one\nline two", Count: 1,
		}},
		Unknown: []string{"the rest"},
	}
	want := `pool app
! connect        1.5 ms  refused

1. error: nothing_listens, upstream http://a:1
   seen     connection refused (once)
   means    nothing listens there at this
            time of the day (certain)
   do       start it
              line one
              line two
   reason   connect_refused

not known: the rest

errors: 1, warnings: 0, notices: 0
`
	var b bytes.Buffer
	if err := r.WriteText(&b, finding.TextOptions{Steps: true, Width: 42}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	var empty, one bytes.Buffer
	if err := new(finding.Report).WriteJSON(&empty); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(strings.Fields(empty.String()), ""), `{"findings":[],"steps":[],"unknown":[]}`; got != want {
		t.Errorf("an empty report is %s, want %s", got, want)
	}
	r := finding.Report{Findings: []finding.Finding{{Severity: finding.Warning, Code: "x", Reason: reason.ClientGone}}}
	if err := r.WriteJSON(&one); err != nil {
		t.Fatal(err)
	}
	var got struct{ Findings []map[string]any }
	if err := json.Unmarshal(one.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if f := got.Findings[0]; f["severity"] != "warning" || f["reason"] != "client_gone" || f["first"] != nil {
		t.Errorf("finding %v", f)
	}
}

func TestWorst(t *testing.T) {
	var r finding.Report
	if _, found := r.Worst(); found {
		t.Error("an empty report has a worst finding")
	}
	r.Find(finding.Finding{Severity: finding.Warning})
	if worst, found := r.Worst(); !found || worst != finding.Warning {
		t.Errorf("worst %v, %v", worst, found)
	}
}
