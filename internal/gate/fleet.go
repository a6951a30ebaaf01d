package gate

import (
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/edition"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/proxy"
)

// meetWithin bounds the wait of the start for the fleet's store. If the store does not
// answer, the instance begins alone.
const meetWithin = time.Second

// inFleet is the gate's part in a fleet; nil without a fleet. All methods accept nil.
type inFleet struct {
	*fleet.Fleet
	config        config.Fleet
	ears          map[string]func(fleet.Word) bool // by the prefix of keys; unchanged once the fleet runs
	hints         hints
	probes        *sharedProbes
	introductions introductions
	changes       *fleetChanges                 // set when the fleet starts
	own           atomic.Pointer[fleet.Portion] // this instance's portion of the limits that the fleet divides
	certs         *fleetCerts
}

// alone reports whether there is no fleet. In the minimal edition it is always true, so
// that the compiler drops the code behind a check of alone.
func (f *inFleet) alone() bool { return edition.Minimal || f == nil }

// joinFleet creates the gate's part in a fleet, if the configuration has one.
func (g *Gate) joinFleet(c *config.Config) error {
	if edition.Minimal || c.Fleet == nil {
		return nil
	}
	zone, err := assemble.Zone(c.Zone)
	if err != nil {
		return err
	}
	f, err := assemble.Fleet(*c.Fleet, g.opts.Version, zone.Own, fleetHash(c), g.log)
	if err != nil {
		return err
	}
	g.fleet = &inFleet{Fleet: f, config: *c.Fleet, ears: map[string]func(fleet.Word) bool{}}
	g.fleet.own.Store(new(fleet.Portion))
	g.fleet.probes = newSharedProbes(f, c.Fleet.Probes)
	g.fleet.shareCerts()
	return nil
}

// start joins the fleet until the gate has drained, and gives the store meetWithin to
// answer. It is called once; g.mu must be held.
func (f *inFleet) start(g *Gate) {
	if f.alone() {
		return
	}
	f.shareChanges(g)
	f.shareIntroductions(g)
	f.shareTickets(g.ticketKeys)
	f.shareHints(g)
	g.events.one = newElected(f.Fleet)
	f.followMembers(g)
	f.Words().Follow(f.heard)
	background := g.background
	g.tasks.Go(func() { f.Run(background) })
	timer := time.NewTimer(meetWithin)
	defer timer.Stop()
	select {
	case <-f.Met():
	case <-timer.C:
	case <-g.leaving.Done():
	}
}

// follow makes the fleet call heard for other instances' words whose keys begin with
// kind.
func (f *inFleet) follow(kind string, heard func(fleet.Word) bool) { f.ears[kind] = heard }

func (f *inFleet) heard(w fleet.Word) bool {
	for kind, heard := range f.ears {
		if strings.HasPrefix(w.Key, kind) {
			return heard(w)
		}
	}
	return true // from a newer version of goodgate
}

// leave tells the other instances that this one has stopped serving.
func (f *inFleet) leave() {
	if !f.alone() {
		f.Leave()
	}
}

// use tells the other instances that this one uses another configuration.
func (f *inFleet) use(c *config.Config, log *slog.Logger) {
	switch {
	case f.alone() && c.Fleet != nil, !f.alone() && (c.Fleet == nil || !reflect.DeepEqual(f.config, *c.Fleet)):
		log.Warn("fleet settings changed: they need a new process (SIGUSR2 or a restart)")
	}
	if !f.alone() {
		f.SetConfig(fleetHash(c))
	}
}

// fleetHash returns a fingerprint without the settings that may differ between instances
// that serve the same.
func fleetHash(c *config.Config) string {
	if c.Fleet != nil {
		same, f := *c, *c.Fleet
		f.Instance, same.Zone.Name, same.Zone.File = "", "", ""
		same.Fleet, same.Admin, same.Log = &f, config.Admin{}, config.Log{}
		c = &same
	}
	return fingerprint(c)
}

// share connects limits to the fleet if they hold for all instances together.
func (f *inFleet) share(place string, c config.Limits, l *proxy.Limits) {
	if f.alone() || l == nil {
		return
	}
	assemble.ShareRates(f.Fleet, place, c, l)
	if c.MaxScope == "fleet" {
		turn := f.Hash([]byte("max_requests " + place))
		l.Share = func(requests int) int { return f.own.Load().Share(requests, turn) }
	}
}

// shareRoutes does the same for the limits of routes.
func (f *inFleet) shareRoutes(c *config.Config, routes []proxy.Route) {
	for i := range routes {
		f.share("route "+routes[i].Name, c.Routes[i].Limits, routes[i].Limits)
	}
}

// measure registers the fleet's state with the metrics.
func (f *inFleet) measure(m *metrics.Metrics) {
	if f.alone() {
		return
	}
	m.SetFleet(func() metrics.Fleet {
		t := f.told(nil)
		return metrics.Fleet{Connected: t.Connected, Members: len(t.Members), Differing: t.Differing(), Lost: f.Lost(), Waiting: t.Waiting}
	})
}

// told returns the state of the fleet for the operator. If now is given, it includes this
// instance's shares of the divided limits.
func (f *inFleet) told(now *present) *admin.Fleet {
	s := f.State()
	t := &admin.Fleet{Connected: s.Connected, Since: s.Changed, Members: []admin.FleetMember{}, Waiting: f.Words().Waiting(), Strangers: s.Strangers, LostS: f.Lost().Seconds()}
	if s.Err != nil {
		t.Error = s.Err.Error()
	}
	for _, m := range s.Members {
		t.Members = append(t.Members, admin.FleetMember{
			ID: m.ID, Name: m.Name, Zone: m.Zone, Version: m.Version, Config: m.Config, Since: m.Since, Clock: m.Clock, Changes: m.Changes, Own: m.ID == s.Own,
		})
	}
	if now != nil {
		t.Shares = f.shares(now)
		if all, here, shared := f.probes.count(); shared {
			t.Checks = &admin.FleetChecks{Upstreams: all, Here: here}
		}
	}
	t.Compare()
	return t
}
