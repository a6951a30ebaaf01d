package balancer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// prepare checks the options, and sets the defaults of Policy and Overprovision.
func (o *Options) prepare() error {
	o.Policy = cmp.Or(o.Policy, "peak_ewma")
	if o.NewPolicy != nil && policies[o.Policy] != nil { // the name of a built-in policy would mislead
		o.Policy = "custom"
	}
	if o.Overprovision <= 0 {
		o.Overprovision = 1.4
	}
	if o.NewPolicy == nil && policies[o.Policy] == nil {
		return fmt.Errorf("pool %s: policy %q is unknown, it is one of %s", o.Name, o.Policy, strings.Join(Policies(), ", "))
	}
	return nil
}

// Check returns the error that [NewPool] and [Pool.Configure] would return.
func (o Options) Check() error { return o.prepare() }

// Configure changes the options of a pool in use, except its name. The members keep their
// state, with two exceptions: breakers and adaptive limits start again if their options
// change, and members that are no longer probed count as up. After an error nothing has
// changed. Configure is safe for concurrent use.
func (p *Pool) Configure(o Options) error {
	o.Name = p.Name()
	if err := o.prepare(); err != nil {
		return err
	}
	p.mu.Lock()
	before := p.opts.Load()
	p.opts.Store(&o)
	members := p.set.Load().members
	for i := range members {
		u := members[i].Upstream
		if !p.checked() {
			u.unprobed()
		}
		if o.Breaker != before.Breaker {
			u.breaker.configure(o.Breaker)
			u.ejected = false
		}
		if o.Adaptive != before.Adaptive {
			u.adaptive.configure(o.Adaptive)
		}
	}
	p.set.Store(p.newSet(slices.Clone(members)))
	p.recount()
	p.mu.Unlock()
	p.watchOverload()
	p.placesChanged()
	p.waiters.wakeAll()
	p.deliver()
	return nil
}

// unprobed marks an upstream as up, because no probe will come any more.
func (u *Upstream) unprobed() {
	u.probeMu.Lock()
	defer u.probeMu.Unlock()
	u.probe = streak{}
	u.health.Store(uint32(Up))
}
