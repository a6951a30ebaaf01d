//go:build !minimal

package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goodgate/goodgate/internal/otlp"
)

// What sending may take.
const (
	pushTimeout = 30 * time.Second
	endTimeout  = 5 * time.Second // at the end, for the last values
	pushSize    = 1 << 20         // bytes of a message, about
)

// Pusher sends the metrics to an endpoint of OTLP, at intervals.
type Pusher struct {
	metrics  *Metrics
	opts     PushOptions
	client   *otlp.Client
	envelope otlp.Envelope
	failing  bool // Run's
}

// NewPusher returns what sends the metrics once Run is called.
func (m *Metrics) NewPusher(o PushOptions) (*Pusher, error) {
	return &Pusher{
		metrics: m, opts: o,
		client:   otlp.NewClient(otlp.Options{Endpoint: o.Endpoint, Headers: o.Headers, TLS: o.TLS, Gzip: o.Gzip}),
		envelope: otlp.NewEnvelope(otlp.Source{Service: o.Service, Version: o.Version, Instance: o.Instance}),
	}, nil
}

// Run sends the metrics at each interval until ctx ends, and then once more, for 5 s at
// most.
func (p *Pusher) Run(ctx context.Context) {
	defer p.client.Close()
	tick := time.NewTicker(p.opts.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.push(ctx, pushTimeout, nil)
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
			defer cancel()
			p.push(end, endTimeout, func(error) { cancel() }) // the end does not wait for a second try
			return
		}
	}
}

// push sends the values of this moment. The log says once that this fails; the next values
// include what was not sent. failed is for [otlp.Client.Send].
func (p *Pusher) push(ctx context.Context, timeout time.Duration, failed func(error)) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := p.send(limited, failed)
	switch {
	case ctx.Err() != nil: // the end has begun, or is over
	case err != nil && !p.failing:
		p.failing = true
		p.opts.Logger.Warn("metrics not sent: goodgate tries again at every interval", "error", err)
	case err == nil && p.failing:
		p.failing = false
		p.opts.Logger.Info("metrics are sent again")
	}
}

func (p *Pusher) send(ctx context.Context, failed func(error)) error {
	families, err := p.metrics.registry.Gather() // has values also with an error
	if len(families) == 0 && err != nil {
		return err
	}
	now := time.Now()
	var items []byte
	var errs []error
	for i, f := range families {
		items = appendFamily(items, f, p.metrics.start, now)
		if len(items) < pushSize && i < len(families)-1 {
			continue
		}
		if err := p.client.Send(ctx, p.envelope.Wrap(items), failed); err != nil {
			if r, ok := errors.AsType[otlp.Rejected](err); ok {
				err = fmt.Errorf("rejected %d data points", r.Items)
			}
			errs = append(errs, err)
		}
		items = items[:0]
	}
	return errors.Join(errs...)
}
