package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// firstRetry is the wait after a first failure; it doubles from there.
const firstRetry = time.Second

// Lookup is a source that asks DNS, keeps the answer for its TTL and asks again.
// NewDNS and NewSRV make one. It is a Refresher.
type Lookup struct {
	nudge
	name    string // for errors
	options Resolver
	// ask returns what DNS says and how long that holds. Targets together with an
	// error are usable, but not all there should be.
	ask func(ctx context.Context) (targets []Target, ttl time.Duration, err error)
}

func newLookup(name string, options Resolver) *Lookup {
	return &Lookup{nudge: newNudge(), name: name, options: options}
}

// Run asks at once, then each time the TTL has passed, clamped to MinTTL and
// MaxTTL; after a failure it waits 1 s, 2 s, 4 s and so on up to MaxTTL, or to the TTL of what
// there is when only a part is missing. Waits
// vary by 10 % either way, so that many lookups spread.
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
		// What is missing for a long time, such as one family of a name whose server
		// never answers for it, is told once.
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

// partially returns what is missing beside targets that were found, else "".
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
	case err != nil:
		err = fmt.Errorf("resolving %s (dns timeout %v): %w", l.name, l.options.Timeout, err)
	case len(targets) == 0:
		err = fmt.Errorf("resolving %s: the answer has no addresses", l.name)
	}
	return targets, ttl, err
}

// jitter returns d, 10 % more or less.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }
