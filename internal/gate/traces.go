package gate

import (
	"context"
	"reflect"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/tracing"
)

// traces sends the traces of one configuration.
type traces struct {
	*tracing.Tracer
	opts  tracing.Options
	trust *assemble.Trust
	task  *task // the sending goroutine; nil before start
}

// planTraces decides which tracer records the requests: the present one or a new one; nil
// when tracing is off.
func (g *Gate) planTraces(next *plan, before *traces) error {
	if next.config.Tracing.Endpoint == "" {
		return nil
	}
	var old *assemble.Trust
	if before != nil {
		old = before.trust
	}
	o, trust, err := assemble.Tracing(next.config.Tracing, g.opts.Version, g.log, old)
	if err != nil {
		return err
	}
	if before != nil && reflect.DeepEqual(before.opts, o) {
		next.traces = before
		return nil
	}
	t, err := tracing.New(o)
	if err != nil {
		return err
	}
	next.traces = &traces{Tracer: t, opts: o, trust: trust}
	return nil
}

// start accepts spans and sends them until stop. A nil traces does nothing.
func (t *traces) start() {
	if t != nil && t.task == nil {
		t.Start()
		t.task = begin(context.Background(), t.Run)
	}
}

// stop sends the remaining spans.
func (t *traces) stop() {
	if t != nil {
		t.task.stop()
	}
}

// replaceTraces makes next record the requests that have begun under old. Without next,
// these requests get the time that clients of a removed listener get.
func (g *Gate) replaceTraces(old, next *traces, c config.Shutdown) {
	if old == nil || old == next {
		return
	}
	stop := g.background.Done()
	g.tasks.Go(func() {
		if next == nil {
			wait(c.LameDuck+c.Grace, stop)
		} else {
			old.Succeed(next.Tracer)
		}
		old.stop()
	})
}
