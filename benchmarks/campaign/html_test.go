package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHTMLReport(t *testing.T) {
	t.Parallel()
	moments := []moment{{Sent: 20}, {Sent: 20, Failed: 5, Max: millis(3 * time.Second)}}
	chosen := []peer{{name: subject, config: "goodgate.yaml"}, {name: "nginx", config: "nginx.conf"}}
	r, err := newReport(options{rate: 200, last: time.Second, runs: 2}, chosen, []*outcome{
		{Case: "a", Says: "something <breaks>", Proxy: subject, Run: 1, Must: "0 failed", Sent: 40, Failed: 5, Timeline: moments, Missed: []string{"failed 12.50 %"}},
		{Case: "a", Proxy: "nginx", Run: 1, Sent: 40, Timeline: moments[:1]},
		{Case: "b", Proxy: subject, Run: 1, Skipped: "no network"},
		{Case: "a", Proxy: subject, Run: 2, Sent: 40},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := r.writeHTML(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"something &lt;breaks&gt;", "12.50 % / 0", "missed: run 1: failed 12.50 %", "0.1 s: 5 of 20 failed",
		"skipped: not passed", "no network", "health: {path: /healthz, interval: 500ms}", `<polyline points="150.0,60.0 `,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for _, not := range []string{"<script", "<link", "src=", "@import", "url("} {
		if strings.Contains(string(got), not) {
			t.Errorf("the report has %q: it must stand by itself", not)
		}
	}
}
