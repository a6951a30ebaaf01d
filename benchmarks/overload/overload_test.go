package main

import (
	"math"
	"net/http"
	"testing"
	"time"
)

// TestOutcome checks the arithmetic with invented answers.
func TestOutcome(t *testing.T) {
	s := scenario{phases: []phase{{last: second, load: 2}, {last: 2 * second, load: 0.5}}, must: must{recovery: second}, greedy: true}
	ms := time.Millisecond
	answers := []answer{
		{at: -ms, took: 1, status: 0}, // in the quiet time
		{at: 0, took: 100 * ms, status: http.StatusOK},
		{at: 10 * ms, took: 900 * ms, status: http.StatusOK, greedy: true},
		{at: 20 * ms, took: 1100 * ms, status: http.StatusOK},
		{at: 1200 * ms, took: 20 * ms, status: http.StatusServiceUnavailable},
		{at: 1300 * ms, took: 20 * ms, status: http.StatusBadGateway, greedy: true},
		{at: 1400 * ms, took: 600 * ms, status: http.StatusOK},
		{at: 1500 * ms, took: 60 * ms, status: http.StatusOK},
	}
	o := s.outcome("x", answers)
	possible := 2 * capacity // 1 s of full and 2 s of half capacity
	for _, check := range []struct {
		name      string
		got, want float64
	}{
		{"sent", float64(o.Sent), 7},
		{"goodput", o.Goodput, 4 / possible},
		{"median", o.P50, 600},
		{"refused", float64(o.Refused), 1},
		{"refusals", o.Refusal9, 20},
		{"errors", float64(o.Errors), 1},
		{"recovery", o.Recovery, 400},
		{"polite", o.Polite, 0.4},
		{"greedy", o.Greedy, 1 / possible},
	} {
		if math.Abs(check.got-check.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", check.name, check.got, check.want)
		}
	}
	if got := (must{goodput: 0.9, p99: 500 * ms, refusal: 10 * ms, recovery: 300 * ms, polite: 0.3}).misses(o); len(got) != 6 {
		t.Errorf("misses %q, want six", got)
	}
}

func TestChoose(t *testing.T) {
	if got, err := choose("burst,10x"); err != nil || len(got) != 2 || got[0].name != "burst" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := choose("none"); err == nil {
		t.Error("an unknown case was chosen")
	}
}

// TestResize checks that removed idle workers serve no more requests.
func TestResize(t *testing.T) {
	b, err := newBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.server.Close()
	b.resize(2)
	if got := len(b.free); got != 2 {
		t.Errorf("%d workers are free, want 2", got)
	}
}
