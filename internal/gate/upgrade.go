package gate

import (
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/handover"
	"github.com/goodgate/goodgate/internal/tickets"
)

// upgradeBound bounds the time until a new process serves.
const upgradeBound = time.Minute

// known is the state that a process passes to the next one.
type known struct {
	Pools   map[string][]balancer.State              `json:"pools"`
	Found   map[string]map[string][]discovery.Target `json:"found"`   // by pool and source
	Tickets []tickets.Key                            `json:"tickets"` // secret
	Changes []changes.Change                         `json:"changes"` // nil = from a version that kept none
	Pages   map[string][]byte                        `json:"pages"`   // of maintenances
}

// bind opens the socket of a listener, or takes over the previous process's socket.
func (g *Gate) bind(l config.Listener) (net.Listener, error) {
	if socket := g.opts.Inherit.Take(l.Address); socket != nil {
		return socket, nil
	}
	return bind(g.leaving, l)
}

// leftBehind returns the state of the previous process; the zero value without one.
func (g *Gate) leftBehind() (k known, err error) {
	if !g.opts.Inherit.Successor() {
		return k, nil
	}
	if err := json.Unmarshal(g.opts.Inherit.Known, &k); err != nil {
		return k, fmt.Errorf("the state of the old process: %w", err)
	}
	return k, nil
}

// inherit applies the state of the previous process.
func (g *Gate) inherit(k known, pools map[string]*pool) {
	if k.Tickets != nil {
		g.ticketKeys = tickets.New(k.Tickets)
	}
	for name, found := range k.Found {
		if p := pools[name]; p != nil {
			p.parts.Load().feed.begin(found)
			p.extras.inherit(found)
		}
	}
	for name, states := range k.Pools {
		if p := pools[name]; p != nil {
			p.live().Warm(states)
		}
	}
}

// Upgrade starts another program in place of this one. When that program serves, Run
// stops accepting, drains and returns. If it fails to serve, nothing has changed, and the
// log says why.
func (g *Gate) Upgrade(path string, args []string) error {
	bundle, err := g.beginUpgrade()
	if err != nil {
		g.log.Warn("upgrade failed: no new process started", "program", path, "error", err.Error())
		return err
	}
	g.log.Info("starting a new process to take over", "program", path)
	pid, err := handover.Program{Path: path, Args: args, Wait: upgradeBound}.Start(g.leaving, bundle)
	g.endUpgrade(err == nil)
	if err != nil {
		g.log.Error("upgrade failed: the new process does not serve, and this one continues", "program", path, "error", err.Error())
		return err
	}
	g.Shutdown(fmt.Errorf("replaced by process %d", pid))
	return nil
}

// beginUpgrade returns the bundle for the next process. No reload can change it until
// endUpgrade.
func (g *Gate) beginUpgrade() (b handover.Bundle, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.replaceable(); err != nil {
		return b, err
	}
	present := g.current.Load()
	for _, s := range present.servers {
		b.Sockets = append(b.Sockets, handover.Socket{Address: s.config.Address, Listener: s.door.socket})
	}
	if a := present.admin; a != nil {
		b.Sockets = append(b.Sockets, handover.Socket{Address: a.config.Address, Listener: a.door.socket})
	}
	k := known{Pools: map[string][]balancer.State{}, Found: map[string]map[string][]discovery.Target{}, Tickets: g.ticketKeys.Keys(time.Now())}
	for name, p := range present.pools {
		k.Pools[name] = p.live().States()
		k.Found[name] = p.parts.Load().feed.found()
		p.extras.addTo(k.Found[name])
	}
	k.Pages = g.pages.all()
	k.Changes = append([]changes.Change{}, g.changes.Freeze("a new process is being started to take over: try again")...)
	if b.Known, err = json.Marshal(k); err != nil {
		g.changes.Thaw()
		return b, err
	}
	g.upgrade = make(chan struct{})
	return b, nil
}

func (g *Gate) endUpgrade(replaced bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replaced.Store(replaced)
	if !replaced {
		g.changes.Thaw()
	}
	close(g.upgrade)
	g.upgrade = nil
}

// yield stops accepting, because another process has taken over.
func (g *Gate) yield(last *present) {
	for _, s := range last.servers {
		s.leaving.Store(true)
		s.http3.leave()
		s.entry.Close()
		s.serving.stop()
		s.release()
	}
	g.replaceAdmin(last.admin, nil, config.Shutdown{Grace: lastWords}, nil)
	g.mu.Lock()
	g.settle(nil)
	g.mu.Unlock()
	last.pushes.stop() // the new process counts from zero, under the same name
	g.current.Store(&present{config: last.config, pools: last.pools, servers: last.servers, traces: last.traces, files: last.files})
}
