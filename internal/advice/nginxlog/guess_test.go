package nginxlog

import (
	"strings"
	"testing"
	"time"
)

// TestGuess checks that the fields of a line are found without its format.
func TestGuess(t *testing.T) {
	f := func(line, upstream string, status int, path string, timed, dated bool) {
		t.Helper()
		tally := NewAccessTally()
		if !tally.Line([]byte(line), nil) {
			t.Errorf("not read: %s", line)
			return
		}
		u := tally.Traffic()[0]
		if u.Upstream != upstream || u.Errors[status] != 1 || u.Path != path || tally.Timed != timed || tally.End.IsZero() == dated {
			t.Errorf("%s: got %q, %d of %d, path %q, timed %v, at %v", line, u.Upstream, u.Errors[status], status, u.Path, tally.Timed, tally.End)
		}
	}
	const combined = `1.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 502 157 "-" "curl/8.0"`
	f(combined, "", 502, "/a", false, true)
	f(combined+` "10.9.9.9"`, "", 502, "/a", false, true)
	f(combined+` 0.001 0.002 10.0.0.1:80`, "10.0.0.1:80", 502, "/a", false, true)
	f(combined+` rt=0.123 uct="0.001" uht="0.1" urt="0.122"`, "", 502, "/a", true, true)
	f(combined+` request_time=0.123 upstream_response_time=0.1 upstream_addr=unix:/run/app.sock`, "unix:/run/app.sock", 502, "/a", true, true)
	f(combined+` upstream: 10.0.0.1:80, 10.0.0.2:80`, "10.0.0.2:80", 502, "/a", false, true)
	f(combined+` 340 0.016 [default-app-80] [] 10.2.0.3:8080 0 0.000 502 baef`, "10.2.0.3:8080", 502, "/a", true, true)
	f(combined+` 340 0.016 [default-app-80] 10.2.0.3:8080, 10.2.0.4:8080 0, 0 0.001, 0.002 502, 502 baef`, "10.2.0.4:8080", 502, "/a", true, true)
	f(`example.com 1.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET / HTTP/2.0" 504 157`, "", 504, "/", false, true)
	f(`[2026-03-01T12:00:01+00:00] 1.1.1.1 "POST /x HTTP/1.1" 503 0.5 "10.0.0.1:80"`, "10.0.0.1:80", 503, "/x", false, true)
	f(`{"time_local":"01/Mar/2026:12:00:01 +0000","request":"GET /a?b HTTP/1.1","status": "502","request_time":"0.5","upstream_addr":"10.0.0.1:80","upstream_response_time":"0.4"}`, "10.0.0.1:80", 502, "/a", true, true)
	f(`{"@timestamp":"2026-03-01T12:00:01+00:00","nginx":{"access":{"response_code":502,"url":"/a?b"}}}`, "", 502, "/a", false, true)
	f(`{"msec":"1772366401.123","uri":"/a","status":504,"upstream_addr":"-"}`, "", 504, "/a", false, true)
	tally := NewAccessTally()
	for _, line := range []string{"", "x", "{", "{}", `"GET / HTTP/1.1"`, `"GET / HTTP/1.1" 999`, " HTTP/", `{"status":"many"}`, `{"status":1e99}`} {
		if tally.Line([]byte(line), nil) {
			t.Errorf("read: %s", line)
		}
	}
}

// TestGuessHostile checks that lines of any shape take time in proportion to their
// length.
func TestGuessHostile(t *testing.T) {
	tally := NewAccessTally()
	for _, part := range []string{"a=", "=:", `"`, "[", "a", " HTTP/", "?", "1.1.1.1:1 "} {
		tally.Line([]byte(`"GET / HTTP/1.1" 502 `+strings.Repeat(part, 200_000/len(part))), nil)
	}
}

// TestFormatFirst checks that the configured format has priority, and that a line in
// another format is parsed as if none were configured.
func TestFormatFirst(t *testing.T) {
	format, err := NewFormat("$upstream_addr|$status|$request_uri")
	if err != nil {
		t.Fatal(err)
	}
	tally := NewAccessTally()
	for _, line := range []string{"10.0.0.1:80|502|/a", `1.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a HTTP/1.1" 504 157`} {
		if !tally.Line([]byte(line), format) {
			t.Errorf("not read: %s", line)
		}
	}
	if tally.Traffic()[0].Errors[504]+tally.Traffic()[1].Errors[502] != 2 || tally.Lines != 2 {
		t.Errorf("%d lines", tally.Lines)
	}
}

func TestWindow(t *testing.T) {
	var w window
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 24 * 60 {
		w.add(start.Add(time.Duration(i)*time.Minute), time.Hour)
	}
	end := start.Add((24*60 - 1) * time.Minute)
	if n := w.sum(end.Add(-time.Hour), time.Hour); n < 59 || n > 62 {
		t.Errorf("%d in the last hour of one a minute", n)
	}
	w.add(start, time.Hour) // a line out of order
	if n := w.sum(end.Add(-time.Hour), time.Hour); n < 59 || n > 62 {
		t.Errorf("%d with one that is old", n)
	}
}
