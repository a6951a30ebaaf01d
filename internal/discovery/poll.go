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

// Asker asks another program, such as a registry of services, for upstreams. Its
// functions are called by one goroutine at a time. If it is an [io.Closer], it is closed
// after the last question.
type Asker interface {
	// Ask returns the whole set. When fresh, it answers at once, and trusts nothing
	// that it remembers of earlier answers. Else it may wait until something has
	// changed, [PollOptions.Hold] at most. It returns soon after ctx has ended.
	Ask(ctx context.Context, fresh bool) (Found, error)
}

// Found is what one question brought.
type Found struct {
	Targets   []Target
	LeftOut   []LeftOut     // candidates that are no targets
	Unchanged bool          // it is what the last answer was; Targets and LeftOut are nil
	After     time.Duration // the next question comes not sooner; 0 = the options say
}

// LeftOut is a candidate that a source found and does not deliver.
type LeftOut struct {
	What string // what the other program calls it
	Why  string
}

// PollOptions say how a [Poll] asks.
type PollOptions struct {
	Name    string        // whom it asks for what, for errors
	Timeout time.Duration // of a question that is answered at once; 0 = 5 s
	Hold    time.Duration // how long the other program may hold a question back; 0 = it does not
	Every   time.Duration // from an answer to the next question, where Hold is 0; 0 = 10 s
}

const (
	// maxTargets is how many targets one source may have. A set with more is an error:
	// which of them were left out would be by chance.
	maxTargets = 10_000
	// maxRetry is the longest wait after a failure.
	maxRetry = 30 * time.Second
	// maxRetryAfter bounds how long another program may want to be left alone.
	maxRetryAfter = time.Minute
	// emptyAgain is when a set that became empty is looked at again before it counts.
	emptyAgain = 5 * time.Second
	// A program that answers at once each time is asked this often.
	answersEvery, answersBurst = 500 * time.Millisecond, 5
)

// errEmptied says that a set that was not empty is.
var errEmptied = fmt.Errorf("the answer has no upstreams any more; it counts when it is the same %v later", emptyAgain)

// Poll is a source that asks an [Asker] over and over. What it delivered last stays
// while questions fail. It is a [Refresher].
type Poll struct {
	nudge
	asker   Asker
	options PollOptions
}

// NewPoll returns a source that delivers what asker finds.
func NewPoll(asker Asker, o PollOptions) *Poll {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	return &Poll{nudge: newNudge(), asker: asker, options: o}
}

// Run asks until ctx ends. After a failure it waits 1 s, 2 s, 4 s and so on up to 30 s,
// less a random part of up to a half, so that many goodgates spread. A set that was
// not empty and becomes so counts when a second question, 5 s later, says the same.
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

// ask asks once, in the time that the options give.
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

// Later is an error that says how long the other program wants to be left alone.
type Later interface {
	error
	RetryAfter() time.Duration
}

// retryAfter returns what an error says of that, a minute at most, and some more, so that many
// goodgates spread.
func retryAfter(err error) time.Duration {
	later, ok := errors.AsType[Later](err)
	if !ok || later.RetryAfter() <= 0 {
		return 0
	}
	d := min(later.RetryAfter(), maxRetryAfter)
	return d + rand.N(d/4+1)
}

// pollRun remembers what it has told the sink.
type pollRun struct {
	*Poll
	reporter
	pace      *rate.Limiter
	last      []Target
	delivered bool
	emptied   bool // the last answer was empty, and the one before was not
	retry     time.Duration
}

// take acts on an answer, and says how long to wait before the next question, and
// whether that is a fresh one.
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
