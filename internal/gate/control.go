package gate

import (
	"errors"
	"fmt"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// control is the gate as its operator's API sees it.
type control struct{ gate *Gate }

func (c control) Pools() []*proxy.Pool           { return c.gate.Pools() }
func (c control) ConfigState() admin.ConfigState { return c.gate.ConfigState() }
func (c control) Config() []byte                 { return config.Dump(c.gate.current.Load().config) }
func (c control) Draining() bool                 { return c.gate.draining.Load() }

func (c control) ProbeError(k balancer.Key) string {
	if p := c.gate.current.Load().pools[k.Pool]; p != nil {
		return p.findings.of(k.Addr)
	}
	return ""
}

func (c control) SourceError(pool string) (string, reason.Reason) {
	if p := c.gate.current.Load().pools[pool]; p != nil {
		return p.lost.get()
	}
	return "", reason.None
}

func (c control) Reload(cause string) ([]string, error) {
	changes, err := c.gate.Reread(cause)
	return texts(changes), err
}

func (c control) Drain(cause string) { c.gate.Shutdown(fmt.Errorf("asked by the %s", cause)) }

func (c control) SetWeight(k balancer.Key, weight int) error {
	p := c.gate.current.Load().pools[k.Pool]
	if p == nil {
		return fmt.Errorf("pool %s is no longer configured", k.Pool)
	}
	return p.setWeight(k.Addr, weight)
}

func texts(changes []config.Change) []string {
	list := make([]string, len(changes))
	for i, c := range changes {
		list[i] = c.String()
	}
	return list
}

// Shutdown makes Run drain and return, as the end of its context does. It does
// not wait.
func (g *Gate) Shutdown(cause error) { g.leave(cause) }

var errNothingFound = errors.New("the pool's upstreams have not been found yet")
