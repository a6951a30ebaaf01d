package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// firstRetry is the wait after the first failure. It doubles after each further one.
const firstRetry = time.Second

// Lookup is a source that queries DNS, keeps the answer for its TTL and queries again.
// NewDNS and NewSRV create it. It is a Refresher.
type Lookup struct {
	nudge
	name    string // for errors
	options Resolver
	// ask returns the targets from DNS and their validity. Targets with an error are
	// usable, but incomplete.
	ask func(ctx context.Context) (targets []Target, ttl time.Duration, err error)
}

func newLookup(name string, options Resolver) *Lookup {
	return &Lookup{nudge: newNudge(), name: name, options: options}
}

// Run queries at once, and then each time the TTL has passed, within MinTTL and MaxTTL.
// After a failure it waits 1 s, 2 s, 4 s and so on up to MaxTTL, or up to the TTL of
// the present answer if only a part is missing. Waits vary by 10 % in both directions,
// to spread many lookups.
func (l *Lookup) Run(ctx context.Context, sink Sink) error {
	r := reporter{sink: sink}
	var last []Target
	told := ""
	retry := firstRetry
	for {
		targets, ttl, err := l.askOnce(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			sink.looked(nil, false)
		}
		if len(targets) > 0 && !slices.Equal(targets, last) {
			last = targets
			sink.Update(slices.Clone(targets))
		}
		// A lasting partial failure, such as a name server that never answers for one
		// family, is reported once.
		if text := partially(targets, err); text == "" || text != told {
			r.report(err)
			told = text
		}
		wait := min(max(ttl, l.options.MinTTL), l.options.MaxTTL)
		switch {
		case err == nil:
			retry = firstRetry
		case len(targets) > 0:
			wait = min(wait, max(retry, l.options.MinTTL))
			retry = min(retry*2, l.options.MaxTTL)
		default:
			wait = min(retry, l.options.MaxTTL)
			retry = wait * 2
		}
		if l.pause(ctx, jitter(wait)) != nil {
			return nil
		}
	}
}

// partially returns the error for the missing part of a set, "" if the set is complete.
func partially(targets []Target, err error) string {
	if err == nil || len(targets) == 0 {
		return ""
	}
	return err.Error()
}

func (l *Lookup) askOnce(ctx context.Context) ([]Target, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	targets, ttl, err := l.ask(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("resolving %s (dns timeout %v): %w", l.name, l.options.Timeout, err)
	case err != nil:
		err = fmt.Errorf("resolving %s: %w", l.name, err)
	case len(targets) == 0:
		err = fmt.Errorf("resolving %s: the answer has no addresses", l.name)
	}
	return targets, ttl, err
}

// jitter returns d with a random deviation of up to 10 %.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }
