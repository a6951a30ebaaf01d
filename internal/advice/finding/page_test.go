package finding_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// A page to share contains no secrets, and only addresses of upstreams.
func TestHTML(t *testing.T) {
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := finding.Report{
		Findings: []finding.Finding{{
			Severity: finding.Error, Confidence: finding.Certain, Code: "refused", Upstream: "http://10.0.0.1:80", Count: 2, First: day, Last: day,
			Seen:  `10.0.0.1 refused; client 203.0.113.7, [2001:db8::7], GET /a?token=hunter2, Authorization: Bearer abcdefghij, http://u:hunter2@x/, id 0123456789abcdef0123456789abcdef`,
			Means: `it is <script>alert(1)</script>`, Do: "start it", Directive: `proxy_set_header X-Api-Key "hunter2";`,
		}},
		Timeline: []finding.Span{{Cause: "refused", Upstream: "http://10.0.0.1:80", Count: 3, First: day, Last: day.Add(time.Hour), Width: 1024 * time.Second, Start: day, Buckets: []uint32{2, 0, 0, 1}}, {Cause: "other\x1b[31m", Upstream: "a\u202eb", First: day, Last: day}},
		Unknown:  []string{"password=hunter2 of 203.0.113.8"},
		Steps:    []finding.Step{{Subject: "http://10.0.0.1:80", Name: "route", Result: "from 192.0.2.9"}},
		Looked:   []string{"http://10.0.0.1:80"},
	}
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, no := range []string{"hunter2", "203.0.113.", "2001:db8", "192.0.2.9", "abcdefghij", "0123456789abcdef", "<script>", "\x1b", "\u202e", "http-equiv=\"refresh", "src=", "href="} {
		if strings.Contains(page, no) {
			t.Errorf("the page has %q:\n%s", no, page)
		}
	}
	for _, want := range []string{"http://10.0.0.1:80", "12:00:00", "11:54:40: 2", "12:45:52: 1", "A bar is 17m4s", "<svg", `text-anchor="middle">11:54:40</text>`, `<pre>proxy_set_header X-Api-Key &#34;`, "&lt;script&gt;", "errors: 1"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if !strings.Contains(r.Findings[0].Seen, "hunter2") {
		t.Error("the report itself was masked")
	}
	var empty bytes.Buffer
	if err := new(finding.Report).WriteHTML(&empty); err != nil || strings.Contains(empty.String(), "<svg") {
		t.Errorf("an empty report: %v, %s", err, empty.String())
	}
}

// Findings with one remedy or one cause are joined.
func TestJoinedFindings(t *testing.T) {
	race := finding.Finding{Severity: finding.Warning, Code: "race", Upstream: "http://a:1", Where: "c:1", Seen: "seen", Directive: "keepalive_timeout 4s;"}
	race2 := race
	race2.Upstream, race2.Where = "http://b:1", "c:2"
	down := finding.Finding{Severity: finding.Error, Code: "dns", Reason: reason.DNSTimeout, Upstream: "http://c:1", Seen: "no answer", Shared: "name server 1"}
	down2 := down
	down2.Upstream, down2.Count = "http://d:1", 3
	r := finding.Report{Findings: []finding.Finding{race, race2, down, down2}}
	r.Rank()
	if len(r.Findings) != 2 {
		t.Fatalf("findings %s, want two", codes(r))
	}
	if f := r.Findings[1]; f.Where != "c:1, c:2" || f.Seen != "seen; the same at http://b:1" {
		t.Errorf("%+v", f)
	}
	if f := r.Findings[0]; f.Count != 3 || !strings.HasSuffix(f.Seen, "; the same at http://d:1") {
		t.Errorf("%+v", f)
	}
}

// A certain finding from an examination replaces a guess from the log about the same
// failure, and takes its severity.
func TestHighestConfidence(t *testing.T) {
	log := finding.Finding{Severity: finding.Error, Confidence: finding.Likely, Code: "refused", Reason: reason.ConnectRefused, Upstream: "http://a:1", Seen: "log", Count: 7}
	look := finding.Finding{Severity: finding.Warning, Confidence: finding.Certain, Code: "other_address", Reason: reason.ConnectRefused, Upstream: "http://a:1", Seen: "look"}
	r := finding.Report{Findings: []finding.Finding{log, look}}
	r.Rank()
	if f := r.Findings[0]; len(r.Findings) != 1 || f.Code != "other_address" || f.Severity != finding.Error || f.Count != 7 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestNothing(t *testing.T) {
	f := func(r finding.Report, want string) {
		t.Helper()
		var b bytes.Buffer
		if err := r.WriteText(&b, finding.TextOptions{}); err != nil || strings.Join(strings.Fields(b.String()), " ") != want {
			t.Errorf("got %q, %v; want %q", b.String(), err, want)
		}
	}
	f(finding.Report{Blind: true}, "nothing was examined")
	f(finding.Report{Looked: []string{"http://a:1", "error.log"}}, "nothing found looked at http://a:1, error.log")
}
