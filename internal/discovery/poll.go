package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// Asker queries another program, such as a service registry, for upstreams. Its
// functions are called by one goroutine at a time. If it is an [io.Closer], it is
// closed after the last query.
type Asker interface {
	// Ask returns the complete set. If fresh, it answers at once, and uses no
	// information from earlier answers. Otherwise it may wait for a change, for at most
	// [PollOptions.Hold]. It returns soon after ctx has ended.
	Ask(ctx context.Context, fresh bool) (Found, error)
}

// Found is the result of one query.
type Found struct {
	Targets   []Target
	LeftOut   []LeftOut     // candidates that are no targets
	Unchanged bool          // the same as the last answer; Targets and LeftOut are nil
	After     time.Duration // shortest time until the next query; 0 = from the options
}

// LeftOut is a candidate that a source has found and does not deliver.
type LeftOut struct {
	What string // its name in the other program
	Why  string
}

// PollOptions configure a [Poll].
type PollOptions struct {
	Name    string        // description of the source, for errors
	Timeout time.Duration // timeout of a query that is answered at once; 0 = 5 s
	Hold    time.Duration // longest time that the other program holds a query; 0 = none
	Every   time.Duration // time from an answer to the next query, if Hold is 0; 0 = 10 s
}

const (
	// maxTargets bounds the targets of one source. A larger set is an error, because
	// leaving out some of it would be arbitrary.
	maxTargets = 10_000
	// maxRetry is the longest wait after a failure.
	maxRetry = 30 * time.Second
	// maxRetryAfter bounds the pause that another program may request.
	maxRetryAfter = time.Minute
	// emptyAgain is the time after which a set that became empty is queried again
	// before it counts.
	emptyAgain = 5 * time.Second
	// The rate of queries to a program that answers long polls at once.
	answersEvery, answersBurst = 500 * time.Millisecond, 5
)

// errEmptied means that a set has become empty.
var errEmptied = fmt.Errorf("the answer has no upstreams any more; it counts when it is the same %v later", emptyAgain)

// Poll is a source that queries an [Asker] repeatedly. Its last set stays while queries
// fail. It is a [Refresher].
type Poll struct {
	nudge
	asker   Asker
	options PollOptions
}

// NewPoll returns a source that delivers the targets of asker.
func NewPoll(asker Asker, o PollOptions) *Poll {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	return &Poll{nudge: newNudge(), asker: asker, options: o}
}

// Run queries until ctx ends. After a failure it waits 1 s, 2 s, 4 s and so on up to 30
// s, less a random part of up to a half, to spread many goodgates. A set that becomes
// empty counts when a second query, 5 s later, confirms it.
func (p *Poll) Run(ctx context.Context, sink Sink) error {
	r := &pollRun{Poll: p, reporter: reporter{sink: sink}, retry: firstRetry,
		pace: rate.NewLimiter(rate.Every(answersEvery), answersBurst)}
	if c, ok := p.asker.(io.Closer); ok {
		defer c.Close()
	}
	for fresh := true; ; {
		found, err := p.ask(ctx, fresh)
		if ctx.Err() != nil {
			return nil
		}
		var wait time.Duration
		wait, fresh = r.take(found, err)
		if wait == 0 {
			err = r.pace.Wait(ctx)
		} else {
			err = p.pause(ctx, wait)
		}
		if err != nil {
			return nil
		}
	}
}

// ask queries once, within the time of the options.
func (p *Poll) ask(ctx context.Context, fresh bool) (Found, error) {
	limit := p.options.Timeout
	if !fresh {
		limit += p.options.Hold
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no complete answer within %v", limit))
	defer cancel()
	found, err := p.asker.Ask(ctx, fresh)
	if err == nil && len(found.Targets) > maxTargets {
		err = fmt.Errorf("%d upstreams, more than the limit of %d", len(found.Targets), maxTargets)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
		err = cause
	}
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", p.options.Name, err)
	}
	return found, nil
}

// Later is an error with the pause that the other program requests.
type Later interface {
	error
	RetryAfter() time.Duration
}

// retryAfter returns the requested pause of an error, at most a minute, with a random
// addition to spread many goodgates.
func retryAfter(err error) time.Duration {
	later, ok := errors.AsType[Later](err)
	if !ok || later.RetryAfter() <= 0 {
		return 0
	}
	d := min(later.RetryAfter(), maxRetryAfter)
	return d + rand.N(d/4+1)
}

// pollRun remembers its reports to the sink.
type pollRun struct {
	*Poll
	reporter
	pace      *rate.Limiter
	last      []Target
	delivered bool
	emptied   bool // the last answer was empty, and the one before was not
	retry     time.Duration
}

// take handles an answer. It returns the wait before the next query, and whether that
// must be fresh.
func (r *pollRun) take(found Found, err error) (wait time.Duration, fresh bool) {
	if err != nil {
		r.report(err)
		wait = max(r.retry-rand.N(r.retry/2), retryAfter(err))
		r.retry = min(r.retry*2, maxRetry)
		return wait, true
	}
	r.retry = firstRetry
	if found.Unchanged {
		r.sink.looked(nil, true)
	} else {
		found.Targets = union(found.Targets)
		if len(found.Targets) == 0 && len(r.last) > 0 && !r.emptied {
			r.emptied = true
			r.report(fmt.Errorf("%s: %w", r.options.Name, errEmptied))
			return emptyAgain, true
		}
		r.emptied = false
		r.sink.looked(found.LeftOut, false)
		if !r.delivered || !slices.Equal(found.Targets, r.last) {
			r.delivered, r.last = true, found.Targets
			r.sink.Update(slices.Clone(found.Targets))
		}
	}
	r.report(nil)
	if found.After > 0 {
		return jitter(found.After), false
	}
	if r.options.Hold > 0 {
		return 0, false
	}
	return jitter(r.options.Every), false
}
