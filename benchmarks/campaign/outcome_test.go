package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLedgerCountsPOSTsExecutedTwice(t *testing.T) {
	t.Parallel()
	l := newLedger()
	for _, request := range []string{"POST 1", "GET 2", "GET 2", "POST 3", "POST 3", "POST 3", "POST 4"} {
		l.executed(request)
	}
	if got := l.duplicated(); got != 1 {
		t.Errorf("got %d, want 1: only POST 3 was executed more than once and must not be", got)
	}
}

func TestOutcomeCount(t *testing.T) {
	t.Parallel()
	var answers []answer
	for i := range 97 {
		answers = append(answers, answer{latency: time.Duration(i+1) * time.Millisecond})
	}
	answers = append(answers,
		answer{at: 250 * time.Millisecond, latency: 500 * time.Millisecond},
		answer{at: 299 * time.Millisecond, latency: 600 * time.Millisecond, failure: "status 503"},
		answer{at: 200 * time.Millisecond, latency: 2 * time.Second, failure: failedBody})
	var o outcome
	o.count(answers)
	want := outcome{
		Sent: 100, Failed: 2, Over500ms: 2, Over1s: 1,
		P50: millis(51 * time.Millisecond), P99: millis(2 * time.Second), Max: millis(2 * time.Second),
		Failures: map[string]int{"status 503": 1, failedBody: 1},
		Timeline: []moment{{97, 0, millis(97 * time.Millisecond)}, {}, {3, 2, millis(2 * time.Second)}},
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got  %+v\nwant %+v", o, want)
	}
	text, err := json.Marshal(&o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"p50_ms":51.0`) {
		t.Errorf("JSON %s should hold milliseconds", text)
	}
}

func TestMisses(t *testing.T) {
	t.Parallel()
	f := func(m must, o outcome, want ...string) {
		t.Helper()
		o.Sent = 1000
		if got := m.misses(&o); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v of %+v: got %q, want %q", m, o, got, want)
		}
	}
	f(must{}, outcome{})
	f(must{}, outcome{Failed: 1}, "failed 0.10 % > 0.00 %")
	f(must{failed: 0.001}, outcome{Failed: 1})
	f(must{mayFail: true}, outcome{Failed: 1000})
	f(must{mayFail: true}, outcome{Duplicated: 1}, "1 POST executed twice")
	f(must{}, outcome{Over500ms: 1000})
	f(must{late: 0.003}, outcome{Over500ms: 4}, "over 500 ms 0.40 % > 0.30 %")
	f(must{p99: time.Second}, outcome{P99: millis(time.Second)})
	f(must{p99: time.Second}, outcome{P99: millis(2 * time.Second)}, "p99 2000 ms > 1000 ms")
}
