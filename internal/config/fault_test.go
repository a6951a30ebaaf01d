package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	f := func(faults, want string) {
		t.Helper()
		_, warnings, err := Parse("x", []byte(minimal+"routes:\n  - {name: a, pool: app, faults: ["+faults+"]}\n"), noEnv)
		got := fmt.Sprint(warnings)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %q", faults, got, want)
		}
	}
	f("{delay: 300ms}", "routes[0].faults[0]: an injected fault is active without an end: delay 300ms for 100% of the requests; set until")
	f("{abort: 503, share: 5%, headers: {X-Fault: s3cr3t}, until: 2999-01-01T00:00:00Z}", "active until 2999-01-01T00:00:00Z: abort 503 for 5% of the requests with X-Fault")
	f("{cut: 1KiB, until: 2001-01-01T00:00:00+02:00}", "routes[0].faults[0].until: the injected fault ended at 2001-01-01T00:00:00+02:00: remove it")
	f("{throttle: 10KiB, share: 0%}", "[]")
	f("{}", "one of delay, abort, cut, throttle is missing")
	f("{delay: 1s, abort: 503}", "delay and abort exclude each other")
	f("{delay: 2m}", `found "2m": must be from 1ms to 1m`)
	f("{abort: 200}", `found "200": must be from 400 to 599`)
	f("{cut: 0B}", "must be from 1B to 1GiB")
	f("{delay: 1s, until: tomorrow}", "found \"tomorrow\": expected a time such as 2030-01-31T18:00:00Z")
	c, _ := parse(t, minimal+"routes: [{name: a, match: {path: /a}, pool: app, faults: [{delay: 1s, until: '2030-01-01T00:00:00Z'}]}, {name: b, pool: app, faults: [{abort: 500, share: 0}]}]\n")
	for when, want := range map[int64][]string{0: {"a"}, 1893456000: nil} { // 2030 begins then
		if got := c.ActiveFaults(time.Unix(when, 0)); !slices.Equal(got, want) {
			t.Errorf("at %d: got %q, want %q", when, got, want)
		}
	}
}
