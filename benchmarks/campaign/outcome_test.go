package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

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
	f(must{slowest: time.Second}, outcome{Max: millis(time.Second)})
	f(must{slowest: time.Second}, outcome{Max: millis(2 * time.Second)}, "max 2000 ms > 1000 ms")
	f(must{orders: true}, outcome{Failed: 3, FailedPosts: 3})
	f(must{orders: true}, outcome{Failed: 3, FailedPosts: 2}, "failed 0.10 % > 0.00 %")
	f(must{}, outcome{Again: 1, LongAgain: 1, Refused: 1, Queued: 1})
	f(must{once: true}, outcome{Again: 1}, "1 executed twice by healthy backends")
	f(must{long: true}, outcome{Again: 1})
	f(must{long: true}, outcome{Again: 1, LongAgain: 1}, "1 slow request(s) executed twice by healthy backends")
	f(must{prompt: true}, outcome{Refused: 1, Queued: 2}, "1 refused", "2 in a queue for more than 5ms")
}

// TestJudgeIgnoresEarlierFailures has two failures before the time from which a target
// counts, and one after it.
func TestJudgeIgnoresEarlierFailures(t *testing.T) {
	t.Parallel()
	answers := []answer{
		{at: 0, failure: failedTime, latency: 5 * time.Second},
		{at: 1 * time.Second, failure: failedTime, latency: 4 * time.Second},
		{at: 2 * time.Second, latency: time.Second},
		{at: 3 * time.Second, failure: "status 502", latency: time.Second},
	}
	var o outcome
	o.count(answers)
	f := func(from time.Duration, want ...string) {
		t.Helper()
		if got := o.judge(must{from: from, slowest: 2 * time.Second}, answers); !reflect.DeepEqual(got, want) {
			t.Errorf("from %v on: got %q, want %q", from, got, want)
		}
	}
	f(0, "failed 75.00 % > 0.00 %", "max 5000 ms > 2000 ms")
	f(2*time.Second, "failed 50.00 % > 0.00 %")
	f(4 * time.Second)
	if o.Failed != 3 || o.Failures[failedTime] != 2 {
		t.Errorf("the outcome has %d failures, %v; want all 3", o.Failed, o.Failures)
	}
}
