package gate

import (
	"context"
	"reflect"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/metrics"
)

// pushes sends the metrics by one configuration.
type pushes struct {
	*metrics.Pusher
	opts  metrics.PushOptions
	trust *assemble.Trust
	task  *task // the sending goroutine; nil before start
}

// planPushes decides what sends the metrics: the present pusher or a new one; nil when
// they are not sent.
func (g *Gate) planPushes(next *plan, before *pushes) error {
	if next.config.Metrics.Endpoint == "" || g.counts == nil {
		return nil
	}
	var old *assemble.Trust
	if before != nil {
		old = before.trust
	}
	o, trust, err := assemble.Push(next.config, g.opts.Version, g.log, old)
	if err != nil {
		return err
	}
	if before != nil && reflect.DeepEqual(before.opts, o) {
		next.pushes = before
		return nil
	}
	p, err := g.counts.NewPusher(o)
	if err != nil {
		return err
	}
	next.pushes = &pushes{Pusher: p, opts: o, trust: trust}
	return nil
}

// start sends the metrics until stop. A nil pushes does nothing.
func (p *pushes) start() {
	if p != nil && p.task == nil {
		p.task = begin(context.Background(), p.Run)
	}
}

// stop sends the last values.
func (p *pushes) stop() {
	if p != nil {
		p.task.stop()
	}
}
