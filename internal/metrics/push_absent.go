//go:build minimal

package metrics

import (
	"context"
	"errors"
)

// Pusher stands in for the one that the minimal edition does not have: it refuses
// configurations that send metrics.
type Pusher struct{}

// NewPusher fails.
func (m *Metrics) NewPusher(PushOptions) (*Pusher, error) {
	return nil, errors.New("the minimal edition of goodgate does not have OTLP")
}

// Run does nothing.
func (p *Pusher) Run(context.Context) {}
