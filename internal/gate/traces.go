package gate

import (
	"context"
	"reflect"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/tracing"
)

// traces is where the traces of one configuration go.
type traces struct {
	*tracing.Tracer
	config config.Tracing
	task   *task // sends; nil before start
}

// planTraces finds what records the requests: what is there, or another; nil
// when tracing is off.
func (g *Gate) planTraces(next *plan, before *traces) error {
	c := next.config.Tracing
	switch {
	case c.Endpoint == "":
		return nil
	case before != nil && reflect.DeepEqual(before.config, c):
		next.traces = before
		return nil
	}
	t, err := tracing.New(assemble.Tracing(c, g.opts.Version, g.log))
	if err != nil {
		return err
	}
	next.traces = &traces{Tracer: t, config: c}
	return nil
}

// start takes spans, and sends them until stop. A nil traces has none.
func (t *traces) start() {
	if t != nil && t.task == nil {
		t.Start()
		t.task = begin(context.Background(), t.Run)
	}
}

// stop sends what is left.
func (t *traces) stop() {
	if t != nil {
		t.task.stop()
	}
}

// replaceTraces lets next record the requests that old has begun to. When there
// is no next, those get the time that clients of a listener that was taken out
// get.
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
