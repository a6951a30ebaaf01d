//go:build minimal

package tracing

import (
	"context"
	"errors"

	"github.com/goodgate/goodgate/proxy"
)

// Tracer replaces the tracer that the minimal edition does not have. That edition
// rejects configurations with tracing.
type Tracer struct{}

// New returns an error.
func New(Options) (*Tracer, error) {
	return nil, errors.New("the minimal edition of goodgate does not have tracing")
}

func (t *Tracer) Start()              {}
func (t *Tracer) Run(context.Context) {}
func (t *Tracer) Succeed(*Tracer)     {}

// Begin returns nil.
func (t *Tracer) Begin(*proxy.Request, bool) proxy.Trace { return nil }
