//go:build minimal

package tracing

import (
	"context"
	"errors"

	"github.com/goodgate/goodgate/proxy"
)

// Tracer stands in for the one that the minimal edition does not have: configurations
// with tracing are refused.
type Tracer struct{}

// New fails.
func New(Options) (*Tracer, error) {
	return nil, errors.New("the minimal edition of goodgate does not have tracing")
}

func (t *Tracer) Start()              {}
func (t *Tracer) Run(context.Context) {}
func (t *Tracer) Succeed(*Tracer)     {}

// Begin begins no trace.
func (t *Tracer) Begin(*proxy.Request, bool) proxy.Trace { return nil }
