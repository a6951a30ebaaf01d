package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuietForms(t *testing.T) {
	t.Parallel()
	all := cases(true)
	f := func(only string, want ...string) {
		t.Helper()
		chosen, err := choose(all, only)
		var got []string
		for _, s := range chosen {
			got = append(got, s.name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", only, got, err, want)
		}
	}
	f("silent", "silent-1", "silent-1-h2c", "silent-1-tls", "silent-2", "silent-2-h2c", "silent-2-tls", "silent-5", "silent-5-h2c", "silent-5-tls")
	f("silent-2-tls,refused-5", "refused-5", "silent-2-tls")
	f("goaway", "goaway-1-h2c", "goaway-2-h2c", "goaway-5-h2c")
	f("two-frozen", "two-frozen-5", "two-frozen-5-h2c", "two-frozen-5-tls")
	for _, s := range all {
		if len(s.pace.moments()) > int(s.pace.last/second) || !s.bare {
			t.Errorf("%s: %d requests in %v, bare %v; want one a second at most, and no settings", s.name, len(s.pace.moments()), s.pace.last, s.bare)
		}
		if s.must == (must{}) || s.must.mayFail {
			t.Errorf("%s asks for too little: %s", s.name, s.must)
		}
	}
	for _, s := range slices.Concat(scenarios, quietOnly) {
		if _, err := choose(all, s.name); err != nil {
			t.Errorf("%s has no quiet form", s.name)
		}
	}
}

// TestQuietLone checks that a lone upstream's fault ends, and that the target counts
// after that.
func TestQuietLone(t *testing.T) {
	t.Parallel()
	f := func(name string, steps int, from time.Duration) {
		t.Helper()
		chosen, err := choose(cases(true), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := chosen[0]; len(got.at()) != steps || got.must.from != from || got.at()[0].at != 3*second {
			t.Errorf("%s: steps %+v, judged from %v on; want %d from 3 s on, and %v", name, got.at(), got.must.from, steps, from)
		}
	}
	f("silent-1", 2, 8*second)
	f("silent-2", 1, 0)
	f("dropped-1", 2, 8*second)
	f("killed-1", 2, 6*second)
	f("restart-lone-1", 2, 0)
	f("rolling-5", 10, 0)
}

// TestQuietCase runs a case in its quiet form with TLS, with a higher rate and a
// shorter time. goodgate has to know the backends' authority.
func TestQuietCase(t *testing.T) {
	t.Parallel()
	program, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(cases(true), "bad-gateway-2-tls,bad-gateway-2-h2c")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range chosen {
		s.calm, s.pace.rate, s.pace.last = 0, 50, 2*second
		got, err := play(t.Context(), s, peers(program, "")[0], options{ip: loopback}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got.Failed > 0 || got.Duplicated > 0 || got.Sent != 51 {
			t.Errorf("%s: sent %d, %d failed: %v; want 51 and none", s.name, got.Sent, got.Failed, got.Failures)
		}
	}
}

// TestPlayAllReportsInOrder has cases that cannot run, so that each of them ends at
// once.
func TestPlayAllReportsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &command{options: options{quiet: true, runs: 2, together: 3}}
		var want []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			c.scenarios = append(c.scenarios, scenario{name: name, bare: true})
			want = append(want, name)
		}
		want = append(want, want...)
		var got []string
		c.playAll(t.Context(), []peer{{name: "nginx"}}, func(o *outcome, err error) {
			if err != nil || o.Skipped == "" {
				t.Errorf("%+v, %v; want it skipped", o, err)
			}
			got = append(got, o.Case)
		})
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.playAll(ctx, []peer{{name: "nginx"}}, func(o *outcome, _ error) { t.Errorf("%s was told after the end", o.Case) })
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	var all []string
	quiet := options{quiet: true}
	for n := range 1000 {
		all = append(all, quiet.address(n))
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != 1000 || strings.HasPrefix(all[0], "127.0.0.") {
		t.Errorf("quiet cases share addresses, or have %s", all[0])
	}
	if got := (options{}).address(3); got != loopback {
		t.Errorf("got %s, want %s", got, loopback)
	}
}
