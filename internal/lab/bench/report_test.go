package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRefused checks that refused requests have no latency, and that the result names
// the error and the address.
func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	r := run(t, Plan{Target: Target{URL: "http://user:hunter2@" + address + "/"}, Pace: Fixed(100), For: 100 * time.Millisecond})
	if r.Requests != 10 || r.Failed != 10 || r.Unanswered != 10 || r.Latency != (Latency{}) || len(r.Distribution) != 0 {
		t.Errorf("got %+v", r)
	}
	want := "all 10 requests failed: connecting to " + address + ": connection refused (10)"
	if err := r.Hopeless(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil || strings.Contains(text.String(), "p50") || !strings.Contains(text.String(), "not known: there were no answers") {
		t.Errorf("%v, %s", err, &text)
	}
	if got := p99OfSecond(&r.Seconds[0]); !math.IsNaN(got) {
		t.Errorf("the chart has a p99 of %v without an answer", got)
	}
	if strings.Contains(text.String()+r.Target, "hunter2") {
		t.Errorf("a password is told: %s", &text)
	}
	if err := (&Result{Requests: 2, Failed: 1, Failures: map[string]int{"x": 1}}).Hopeless(); err != nil {
		t.Error(err)
	}
	for _, measure := range []string{"p50<1h", "p99.9<1h", "max<1h", "mean<1h"} {
		th, err := ParseThreshold(measure)
		if err != nil {
			t.Fatal(err)
		}
		if th.Check(r) == nil {
			t.Errorf("%s is kept though nothing was answered", measure)
		}
	}
}

func TestTargetCheck(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8080/": "",
		"127.0.0.1:18080":        `"127.0.0.1:18080": a URL needs its scheme: write http://127.0.0.1:18080`,
		"localhost/x":            `"localhost/x": a URL needs its scheme: write http://localhost/x`,
		"ftp://a/":               `"ftp://a/": scheme ftp: expected http or https`,
		"http://":                `"http://": a URL needs a host, such as http://127.0.0.1:8080/`,
		"http://:80":             `"http://:80": a URL needs a host, such as http://127.0.0.1:8080/`,
	} {
		got := ""
		if err := (Target{URL: url}).Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

// made returns a result with a number of seconds, and a latency around ms.
func made(seconds int, ms float64) *Result {
	r := &Result{Name: "made", Target: "http://a/", Load: "10 requests a second", Took: float64(seconds), Statuses: map[int]int{200: 10 * seconds}, Bytes: int64(seconds) * 1000}
	for i := range seconds {
		l := ms + float64(i%3)/10
		r.Seconds = append(r.Seconds, Second{Second: i, Sent: 10, Latency: Latency{Min: l / 2, Mean: l, P50: l, P90: 2 * l, P99: 3 * l, Max: 4 * l}})
		r.Requests += 10
	}
	r.Distribution = []Quantile{{0, ms}, {0.9, 2 * ms}, {0.99, 3 * ms}, {0.999, 4 * ms}}
	return r
}

// TestCompared checks that text and page contain each change with its evidence, and the
// facts that make the results hard to compare.
func TestCompared(t *testing.T) {
	before, after := made(40, 10), made(15, 40)
	var text, page bytes.Buffer
	if err := Compare(&text, before, after); err != nil {
		t.Fatal(err)
	}
	if err := HTML(&page, "compared", []*Result{before, after}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), `\t`) {
		t.Errorf("a tab is written out:\n%s", &text)
	}
	for _, want := range []string{"p90 ms", "mean ms", "n=38+13", "the runs lasted 40 s and 15 s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, &page)
		}
	}
	for _, want := range []string{"<h2>Compared</h2>", ">0 %<", ">90 %<", ">99 %<", ">99.9 %<", "http://a/", "200: 400", "1.0 kB"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, &page)
		}
	}
	if strings.Contains(page.String(), `aria-label="Failed"`) {
		t.Error("a chart of failures, of which there are none")
	}
	changes := map[string]string{}
	for _, d := range Differences(before, after) {
		changes[d.Name] = d.Change
	}
	if !strings.HasPrefix(changes["p90 ms"], "+") || changes["answered/s"] != "~" {
		t.Errorf("changes are %v", changes)
	}
	if got := Remarks(made(30, 1), made(31, 1)); len(got) > 0 {
		t.Errorf("remarks about alike runs: %q", got)
	}
	before.Failed, before.Seconds[3].Failed = 1, 1
	page.Reset()
	if err := HTML(&page, "failed", []*Result{before}); err != nil || !strings.Contains(page.String(), `aria-label="Failed"`) {
		t.Errorf("no chart of failures: %v", err)
	}
	for i := range after.Seconds {
		after.Seconds[i].Failed, after.Seconds[i].Silent, after.Seconds[i].Latency = 10, 10, Latency{}
	}
	for _, d := range Differences(before, after) {
		if d.Name == "p50 ms" && d.Change != "~" {
			t.Errorf("seconds without answers are compared: %+v", d)
		}
	}
}

// TestReadOther checks the error for a file of another kind.
func TestReadOther(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"gg.yaml": "listeners: [\":8080\"]\n", "other.json": `{"a": 1}`, "list.json": "[]", "empty": ""} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "is not a result of goodgate bench") {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := json.Marshal(made(3, 1))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "good.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err != nil {
		t.Error(err)
	}
}
