package gate

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/logging"
	"github.com/goodgate/goodgate/proxy"
)

// firstVerdicts is how long a reload waits for an available upstream in each new pool, so
// that requests need not wait.
const firstVerdicts = 2 * time.Second

// plan is a built configuration that is not in use yet.
type plan struct {
	config  *config.Config
	pools   map[string]*pool  // all of the new configuration
	parts   map[string]*parts // of the existing pools
	proxy   *proxy.Proxy
	servers []*server
	admin   *adminServer  // nil without one
	traces  *traces       // nil = off
	pushes  *pushes       // nil = off
	log     *logging.Next // nil = the log stays as it is
	files   contents
	limits  []*proxy.Limits // of the routes
	splits  splits
	mirrors mirrors

	injections injections
	opened     []net.Listener     // sockets without a server yet
	passed     map[*server]string // servers whose sockets go to another server
}

// live returns the plan's pools.
func (n *plan) live() map[string]*proxy.Pool {
	all := make(map[string]*proxy.Pool, len(n.pools))
	for name, p := range n.pools {
		if next := n.parts[name]; next != nil {
			all[name] = next.live
		} else {
			all[name] = p.live()
		}
	}
	return all
}

// Reload replaces the configuration completely, or on an error not at all. Pools of the
// same name keep their upstreams, with health, breakers and load. Requests in flight end
// under the configuration that they began with. It returns the changes.
//
// New pools get a moment to become available before requests go there. Reload is safe for
// concurrent use; reloads happen one after the other.
func (g *Gate) Reload(c *config.Config) ([]config.Change, error) {
	changes, err := g.reload(c)
	if err == nil {
		g.overrule(g.current.Load().config)
		g.fleet.rehear()
	}
	return changes, err
}

func (g *Gate) reload(c *config.Config) ([]config.Change, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.replaceable(); err != nil {
		return nil, err
	}
	before := g.current.Load()
	next, err := g.plan(c, before)
	if err != nil {
		g.discard(next, before)
		return nil, err
	}
	g.put(next, before)
	return append(config.Diff(before.config, c), before.files.changes(next.files)...), nil
}

// contents are the hashes of the files that a configuration names.
type contents map[assemble.File][sha256.Size]byte

// changes returns the files whose content differs in next, in the order of their keys. A
// key that names another file is reported elsewhere.
func (c contents) changes(next contents) (list []config.Change) {
	for _, f := range slices.SortedFunc(maps.Keys(c), func(a, b assemble.File) int { return cmp.Compare(a.Key, b.Key) }) {
		if sum, ok := next[f]; ok && sum != c[f] {
			list = append(list, config.Change{Path: f.Key, What: "the content of " + f.Name + " has changed"})
		}
	}
	return list
}

// plan builds and checks everything, and opens sockets. On an error it returns the parts
// built so far, for discard.
func (g *Gate) plan(c *config.Config, before *present) (*plan, error) {
	next := &plan{config: c, pools: map[string]*pool{}, parts: map[string]*parts{}, files: assemble.Contents(c)}
	if err := g.planPools(next, before.pools); err != nil {
		return next, err
	}
	if err := g.planTraces(next, before.traces); err != nil {
		return next, err
	}
	if err := g.planPushes(next, before.pushes); err != nil {
		return next, err
	}
	options, err := assemble.Proxy(c, next.live(), g.observers(next))
	if err != nil {
		return next, err
	}
	g.fleet.shareRoutes(c, options.Routes)
	next.limits = before.keepLimits(c, options.Routes)
	next.splits, next.mirrors = g.planSplits(c, options.Routes, before), planMirrors(c, options.Routes, before)
	next.injections = g.planFaults(options.Routes, before)
	if next.proxy, err = g.live.Load().With(options); err != nil {
		return next, err
	}
	if err := g.planListeners(next, before); err != nil {
		return next, err
	}
	if g.opts.Relog != nil && relogs(before, next) {
		next.log, err = g.opts.Relog(c)
	}
	return next, err
}

// relogs reports whether a plan changes the log: its settings, the choice of routes, or a
// file that it has read.
func relogs(before *present, next *plan) bool {
	chosen := func(c *config.Config) map[string][]string {
		all := map[string][]string{}
		for _, r := range c.Routes {
			if len(r.Log) > 0 {
				all[r.Name] = r.Log
			}
		}
		return all
	}
	return !reflect.DeepEqual(before.config.Log, next.config.Log) || !reflect.DeepEqual(chosen(before.config), chosen(next.config)) ||
		slices.ContainsFunc(before.files.changes(next.files), func(c config.Change) bool { return strings.HasPrefix(c.Path, "log[") })
}

// discard ends the parts of a plan that is not used.
func (g *Gate) discard(next *plan, before *present) {
	for _, s := range next.servers {
		if !slices.Contains(before.servers, s) {
			s.discard()
		}
	}
	for _, socket := range next.opened {
		socket.Close()
	}
	next.log.Discard()
	g.settle(before.servers)
}

func (g *Gate) planPools(next *plan, before map[string]*pool) error {
	var errs []error
	zone, err := assemble.Zone(next.config.Zone)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(next.config.Pools)) {
		c := next.config.Pools[name]
		p, err := before[name], error(nil)
		if p != nil {
			next.parts[name], err = p.plan(c, zone)
		} else {
			p, err = newPool(name, c, zone, g)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("pools.%s: %w", name, err))
			continue
		}
		next.pools[name] = p
	}
	return errors.Join(errs...)
}

// planListeners plans the servers of listeners and API, and opens new sockets.
func (g *Gate) planListeners(next *plan, before *present) error {
	return errors.Join(g.planServers(next, before.servers), g.planAdmin(next, before.admin))
}

// planServers decides which server serves each listener: the present one, a new one that
// takes over its socket, or a new one with its own socket.
func (g *Gate) planServers(next *plan, before []*server) error {
	var errs []error
	failed := func(i int, err error) {
		errs = append(errs, fmt.Errorf("%s: %w", next.config.KeyName(fmt.Sprintf("listeners[%d]", i)), err))
	}
	next.passed = map[*server]string{}
	used := map[*server]bool{}
	for i, l := range next.config.Listeners {
		at := slices.IndexFunc(before, func(s *server) bool { return !used[s] && s.config.Address == l.Address })
		if at >= 0 {
			s := before[at]
			used[s] = true
			if !s.serves(l) {
				next.passed[s] = l.Address
				heir, err := g.newServer(l, s.door.socket)
				if err != nil {
					failed(i, err)
				}
				s = heir
			}
			next.servers = append(next.servers, s)
			continue
		}
		socket, err := g.bind(l)
		if err != nil {
			failed(i, err)
			continue
		}
		next.opened = append(next.opened, socket)
		s, err := g.newServer(l, socket)
		if err != nil {
			failed(i, err)
		}
		next.servers = append(next.servers, s)
	}
	return errors.Join(errs...)
}

// put puts a plan into use. It cannot fail.
func (g *Gate) put(next *plan, before *present) {
	next.log.Use()
	next.traces.start()
	next.pushes.start()
	g.startPools(next, before)
	g.live.Store(next.proxy)
	for name, parts := range next.parts {
		next.pools[name].adopt(g.background, parts)
	}
	link(next.config, next.pools, before.pools)
	g.awaitSources(slices.Collect(maps.Values(next.pools)))
	for _, s := range before.servers {
		g.replace(s, next)
	}
	for _, s := range next.servers {
		if s.serving == nil {
			g.serve(s)
		}
	}
	g.current.Store(&present{config: next.config, pools: next.pools, servers: next.servers, admin: next.admin, traces: next.traces, pushes: next.pushes, files: next.files, limits: next.limits, splits: next.splits, mirrors: next.mirrors, injections: next.injections})
	g.overruleSplits(next.splits)
	before.mirrors.closeMirrors(next.mirrors)
	g.replaceAdmin(before.admin, next.admin, next.config.Shutdown, g.background.Done())
	g.replaceTraces(before.traces, next.traces, next.config.Shutdown)
	if before.pushes != next.pushes {
		g.tasks.Go(before.pushes.stop)
	}
	g.events.use(next.config.Events.Webhook)
	g.fleet.use(next.config, g.log)
	g.fleet.divide(g) // for new pools: a member may have joined or left meanwhile
	g.settle(next.servers)
	for name, p := range before.pools {
		if next.pools[name] != p {
			g.dissolve(p)
		}
	}
}

// startPools starts the new pools, and waits at most firstVerdicts for an available
// upstream in each.
func (g *Gate) startPools(next *plan, before *present) {
	var added []*pool
	for name, p := range next.pools {
		if before.pools[name] == nil {
			p.start(g.background)
			added = append(added, p)
		}
	}
	g.awaitSources(added)
	link(next.config, next.pools, nil)
	g.await(added)
}

// await waits at most firstVerdicts for an available upstream in each pool.
func (g *Gate) await(pools []*pool) {
	timer := time.NewTimer(firstVerdicts)
	defer timer.Stop()
	for _, p := range pools {
		select {
		case <-p.usable:
		case <-timer.C:
			return
		case <-g.leaving.Done():
			return
		}
	}
}

// replace ends a server that is not in the plan.
func (g *Gate) replace(s *server, next *plan) {
	if slices.Contains(next.servers, s) {
		return
	}
	if _, ok := next.passed[s]; ok {
		s.pass()
		if network, address := s.config.Network(); network == "unix" {
			heir := next.servers[slices.IndexFunc(next.servers, func(n *server) bool { return n.door.socket == s.door.socket })]
			if err := os.Chmod(address, heir.config.Mode); err != nil {
				g.log.Warn("socket permissions not changed", "listener", s.address, "error", err.Error())
			}
		}
	} else {
		s.pass()
		s.door.socket.Close()
	}
	g.retire(s, next.config.Shutdown, g.background.Done())
}

// dissolve ends a pool that is no longer configured. It keeps the upstreams for the
// lame-duck time, because requests that were routed to the pool may retry there.
func (g *Gate) dissolve(p *pool) {
	p.stop()
	linger, stop := g.current.Load().config.Shutdown.LameDuck, g.background.Done()
	g.tasks.Go(func() {
		wait(linger, stop)
		p.live().Update([]balancer.Spec{})
	})
}

// reloads records the replacements of the configuration.
type reloads struct {
	mu    sync.Mutex // protects state
	state admin.ConfigState
}

// ConfigState reports how current the configuration is.
func (g *Gate) ConfigState() admin.ConfigState {
	g.reloads.mu.Lock()
	defer g.reloads.mu.Unlock()
	state := g.reloads.state
	state.Faults = g.current.Load().config.ActiveFaults(time.Now())
	return state
}

// Reread loads the configuration again and reloads. cause says who asked. The log and
// [Gate.ConfigState] show the result.
func (g *Gate) Reread(cause string) ([]config.Change, error) {
	if g.opts.Load == nil {
		g.log.Warn("configuration not reloaded", "cause", cause, "error", errNoFile.Error())
		return nil, errNoFile
	}
	return g.replaceConfig(cause, 0, g.opts.Load)
}

// replaceConfig puts the result of load into use. rolledBack is the number of an earlier
// version; 0 = the file's.
func (g *Gate) replaceConfig(cause string, rolledBack int, load func() (*config.Config, []config.Warning, error)) ([]config.Change, error) {
	changes, err := g.reread(load)
	g.journal.Reloaded(cause, texts(changes), err)
	g.reloads.mu.Lock()
	state := &g.reloads.state
	if err != nil {
		state.Failed, state.Error = time.Now(), err.Error()
	} else {
		*state = admin.ConfigState{Loaded: time.Now(), Reloads: state.Reloads + 1, RolledBack: rolledBack}
	}
	loaded := state.Loaded
	g.reloads.mu.Unlock()
	switch m := g.opts.Metrics; {
	case m == nil:
	case err != nil:
		m.ConfigFailed()
	default:
		m.ConfigLoaded(fingerprint(g.current.Load().config), loaded)
	}
	if err != nil {
		g.events.reloadFailed(cause, err)
		g.log.Error("configuration not reloaded; the last good one stays in use", "cause", cause, "error", err.Error())
		return nil, err
	}
	g.configs.add(g.current.Load().config, cause)
	g.log.Info("configuration reloaded", "cause", cause, "changes", texts(changes))
	if rolledBack > 0 {
		g.log.Warn("configuration in use differs from the file", "version", rolledBack, "until", "the next reload or restart")
	}
	return changes, nil
}

func (g *Gate) reread(load func() (*config.Config, []config.Warning, error)) ([]config.Change, error) {
	c, warnings, err := load()
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		g.log.Warn("configuration warning", "warning", fmt.Sprint(w))
	}
	changes, err := g.Reload(c)
	return changes, err
}

// errNoFile does not count as a failed reload: without a file nothing can be wrong.
var errNoFile = errors.New("goodgate was started with --listen and --to, so it has no configuration file to reload")
