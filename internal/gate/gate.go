package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/handover"
	"github.com/goodgate/goodgate/internal/limit"
	"github.com/goodgate/goodgate/internal/logging"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/staple"
	"github.com/goodgate/goodgate/internal/tickets"
	"github.com/goodgate/goodgate/proxy"
)

// Options configure a gate, beside its configuration.
type Options struct {
	Logger *slog.Logger
	Access func(*proxy.Record) // logs requests; nil = Logger does
	// Relog opens the log of a new configuration, for Reload; nil = Logger stays in use.
	Relog   func(*config.Config) (*logging.Next, error)
	Version string                // of the program, for traces; empty = omitted
	Metrics *metrics.Metrics      // counts requests while there is an admin listener, or an endpoint for metrics; nil = no counts
	Observe []func(*proxy.Record) // additional observers
	// Load reads the configuration again, for Reread; nil = there is no file.
	Load func() (*config.Config, []config.Warning, error)
	// Parse parses a configuration that was in use before, for Rollback; nil = there is
	// no file.
	Parse func(files []config.File) (*config.Config, []config.Warning, error)
	// AdminSpares are tried in order at the start, when the address of the admin listener
	// is in use. If all are in use there is no admin listener. Empty = the start fails.
	AdminSpares []string
	// StateDir is the folder of the state file when the configuration names none; empty =
	// operators' changes end with the process.
	StateDir string
	// Inherit is the bundle that the previous process has passed on; nil = there was
	// none.
	Inherit *handover.Bundle
}

// Gate is one complete goodgate. Several can run in one process.
type Gate struct {
	opts        Options
	log         *slog.Logger
	counts      *metrics.Metrics // nil = off
	events      *events
	live        atomic.Pointer[proxy.Proxy] // serves the requests
	current     atomic.Pointer[present]
	reloads     reloads
	ring        admin.Ring
	tally       admin.Tally
	journal     *admin.Journal
	deploys     *deploys
	changes     *changes.Book // the operators' changes
	pages       *pageStore    // of maintenances
	configs     *configHistory
	fdShortage  shortage
	clientRoom  *limit.Room // for the clients of all listeners
	udp         udpSockets
	memory      *limit.Memory             // nil when GOMEMLIMIT is not set
	probeConns  *health.Kept              // connections that probes share
	ticketKeys  *tickets.Ring             // keys of TLS sessions
	fleet       *inFleet                  // nil = this instance is alone
	acmeIssuers atomic.Pointer[[]*issuer] // issuers, as challenged reads it without mu; nil = none

	injecting sync.Mutex // held while faults of the book are given to a route
	draining  atomic.Bool
	replaced  atomic.Bool // another process has taken over

	leaving context.Context         // ends when Run must drain; waits under mu end then
	leave   context.CancelCauseFunc // ends leaving

	mu         sync.Mutex      // held while the configuration is replaced; protects the fields below
	background context.Context // of everything that Run has started; nil before Run and once it drains
	upgrade    chan struct{}   // closes when the upgrade in progress ends; nil without one
	tasks      sync.WaitGroup
	issuers    []*issuer
	stapler    *staple.Stapler // created once; Use needs mu
	failed     chan error      // fatal errors
}

// present is the gate's set of parts for one configuration. It is immutable.
type present struct {
	config  *config.Config
	pools   map[string]*pool
	servers []*server
	admin   *adminServer // nil without one
	traces  *traces      // nil = off
	pushes  *pushes      // nil = off
	files   contents
	limits  []*proxy.Limits // of the routes
	splits  splits
	mirrors mirrors

	injections injections
}

// keptShare is the divisor for the file descriptors of probes: one eighth of them may
// keep connections. Clients may have three quarters; see shortage.room.
const keptShare = 8

// New builds all parts of a configuration, and opens nothing yet.
func New(c *config.Config, o Options) (*Gate, error) {
	g := &Gate{opts: o, counts: o.Metrics, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), failed: make(chan error, 1)}
	g.journal = admin.NewJournal(o.Version)
	g.leaving, g.leave = context.WithCancelCause(context.Background())
	g.fdShortage.log, g.memory, g.probeConns = g.log, limit.NewMemory(), health.NewKept(maxFiles()/keptShare)
	g.clientRoom = g.fdShortage.room(maxFiles())
	g.events, g.ticketKeys, g.stapler = newEvents(c, o, g.situation), tickets.New(nil), staple.New(g.log, g.stapleDir(c))
	left, err := g.leftBehind()
	if err != nil {
		return nil, err
	}
	g.openChanges(c, left)
	if err := g.joinFleet(c); err != nil {
		return nil, err
	}
	g.deploys = g.newDeploys()
	next := &plan{config: c, pools: map[string]*pool{}, parts: map[string]*parts{}}
	if err := g.planPools(next, nil); err != nil {
		return nil, err
	}
	g.inherit(left, next.pools)
	if err := g.planTraces(next, nil); err != nil {
		return nil, err
	}
	if err := g.planPushes(next, nil); err != nil {
		return nil, err
	}
	options, err := assemble.Proxy(c, next.live(), g.observers(next))
	if err != nil {
		return nil, err
	}
	first := &present{config: new(config.Config)}
	next.splits, next.mirrors = g.planSplits(c, options.Routes, first), planMirrors(c, options.Routes, first)
	next.injections = g.planFaults(options.Routes, first)
	g.fleet.shareRoutes(c, options.Routes)
	p, err := proxy.New(options)
	if err != nil {
		return nil, err
	}
	g.live.Store(p)
	g.current.Store(&present{config: c, splits: next.splits, mirrors: next.mirrors, injections: next.injections, pools: next.pools, traces: next.traces, pushes: next.pushes, files: assemble.Contents(c), limits: first.keepLimits(c, options.Routes)})
	g.changes.Follow(g.followSplits)
	g.changes.Follow(g.followFaults)
	g.reloads.state.Loaded = time.Now()
	if m := o.Metrics; m != nil {
		m.SetPools(g.Pools)
		m.SetSources(g.sourceCounts)
		m.SetCertificates(g.certificates)
		m.SetSplits(g.splitReports)
		m.SetMirrors(g.mirrorReports)
		m.ConfigLoaded(fingerprint(c), g.reloads.state.Loaded)
		g.fleet.measure(m)
	}
	return g, nil
}

// ServeHTTP serves a request with the present configuration.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.live.Load().ServeHTTP(w, r)
}

// Pools returns the present pools in order of their names.
func (g *Gate) Pools() []*proxy.Pool {
	var list []*proxy.Pool
	pools := g.current.Load().pools
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		list = append(list, pools[name].live())
	}
	return list
}

// AdminAddress returns the address of the operator's API in a form that can be dialled;
// empty without an API.
func (g *Gate) AdminAddress() string {
	if a := g.current.Load().admin; a != nil {
		return a.address()
	}
	return ""
}

// Run listens, calls ready with the addresses, and serves until ctx ends. Then it drains,
// and returns when everything that it has started has ended. Closing hurry shortens the
// drain.
func (g *Gate) Run(ctx context.Context, hurry <-chan struct{}, ready func(addrs []string)) error {
	defer g.leave(nil)
	defer context.AfterFunc(ctx, func() { g.leave(context.Cause(ctx)) })()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer func() { g.current.Load().traces.stop() }() // every request has ended
	defer g.tasks.Wait()
	defer stop()
	if err := g.open(background); err != nil {
		return err
	}
	defer func() {
		last := g.current.Load()
		last.pushes.stop() // with the upstreams as they are: at the end there are none
		last.mirrors.closeMirrors(nil)
		for _, p := range last.pools {
			p.stop()
		}
		g.replaceAdmin(last.admin, nil, config.Shutdown{Grace: lastWords}, nil)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.settle(nil)
	}()
	if ready != nil {
		ready(addresses(g.current.Load().servers))
	}
	select {
	case <-g.leaving.Done():
		g.drain(context.Cause(g.leaving), hurry)
		return nil
	case err := <-g.failed:
		g.leave(err)
		g.halt()
		for _, s := range g.current.Load().servers {
			s.close()
		}
		return err
	}
}

// open starts everything.
func (g *Gate) open(background context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.current.Load()
	next := &plan{config: before.config}
	if err := g.planListeners(next, before); err != nil {
		g.discard(next, before)
		return err
	}
	g.background = background
	g.configs.add(before.config, "start") // only once all of it is open
	before.traces.start()
	before.pushes.start()
	g.fleet.start(g)
	g.tasks.Go(func() { g.journal.Run(background, g.shownPools) })
	g.tasks.Go(func() { g.changes.Run(background) })
	g.overruleSplits(before.splits)
	g.tasks.Go(func() { g.runSplits(background) })
	g.tasks.Go(func() { g.events.run(background, g.Pools) })
	g.tasks.Go(func() { g.sweep(background) })
	all := slices.Collect(maps.Values(before.pools))
	for _, p := range all {
		p.start(background)
	}
	g.awaitSources(all)
	link(before.config, before.pools, nil)
	if g.opts.Inherit.Successor() { // the previous process serves meanwhile
		g.await(all)
	}
	g.deploys.Resume()
	g.tasks.Go(func() { g.deploys.Run(background) })
	for _, s := range next.servers {
		g.serve(s)
	}
	g.current.Store(&present{config: before.config, pools: before.pools, servers: next.servers, admin: next.admin, traces: before.traces, pushes: before.pushes, files: before.files, limits: before.limits, splits: before.splits, mirrors: before.mirrors, injections: before.injections})
	g.replaceAdmin(nil, next.admin, config.Shutdown{}, nil)
	g.settle(next.servers)
	return nil
}

// serve lets a server accept until it must leave.
func (g *Gate) serve(s *server) {
	failed := func(err error) { g.fail(fmt.Errorf("listener %s: %w", s.address, err)) }
	s.start(failed)
	s.http3.start(failed)
}

// fail ends Run, which returns the first error.
func (g *Gate) fail(err error) {
	select {
	case g.failed <- err:
	default:
	}
}

// halt ends the time for replacing the configuration or the process. A replacement in
// progress gives up, since leaving has ended; halt waits for an upgrade.
func (g *Gate) halt() {
	g.mu.Lock()
	g.background = nil
	upgrade := g.upgrade
	g.mu.Unlock()
	if upgrade != nil {
		<-upgrade
	}
}

// replaceable returns the reason that nothing can be replaced now; nil if it can. g.mu
// must be held.
func (g *Gate) replaceable() error {
	switch {
	case g.background == nil || g.leaving.Err() != nil || g.replaced.Load():
		return errNotRunning
	case g.upgrade != nil:
		return errUpgrading
	}
	return nil
}

var (
	// errNotRunning says that it is too early, or too late, to change anything.
	errNotRunning = errors.New("goodgate is starting or shutting down: it cannot start a new process now")
	errUpgrading  = errors.New("a new process is being started to take over: try again if it fails")
)
