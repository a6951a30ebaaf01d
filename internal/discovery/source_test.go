package discovery

import (
	"context"
	"slices"
	"testing"
)

// record is a sink that tests read from.
type record struct {
	updates chan []Target
	errs    chan error
}

// run runs s until the test ends.
func run(t *testing.T, s Source) *record {
	t.Helper()
	r := &record{updates: make(chan []Target, 1000), errs: make(chan error, 1000)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, Sink{
			Update: func(targets []Target) { r.updates <- targets },
			Report: func(err error) { r.errs <- err },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil after ctx ended", err)
		}
	})
	return r
}

// want waits for the next update and compares its addresses.
func (r *record) want(t *testing.T, addrs ...string) {
	t.Helper()
	if got := addresses(<-r.updates); !slices.Equal(got, addrs) {
		t.Fatalf("got update %q, want %q", got, addrs)
	}
}

// wantQuiet checks that nothing has been delivered or reported.
func (r *record) wantQuiet(t *testing.T) {
	t.Helper()
	select {
	case got := <-r.updates:
		t.Fatalf("got update %q, want none", addresses(got))
	case err := <-r.errs:
		t.Fatalf("got report %v, want none", err)
	default:
	}
}

func addresses(targets []Target) []string {
	var addrs []string
	for _, t := range targets {
		addrs = append(addrs, t.Addr)
	}
	return addrs
}

// at80 returns targets without anything but an address.
func at80(hosts ...string) []Target {
	var targets []Target
	for _, h := range hosts {
		targets = append(targets, Target{Addr: h + ":80"})
	}
	return targets
}

func TestStatic(t *testing.T) {
	t.Parallel()
	r := run(t, NewStatic(at80("10.0.0.2", "10.0.0.1", "10.0.0.2")...))
	r.want(t, "10.0.0.2:80", "10.0.0.1:80")
	r.wantQuiet(t)
}
