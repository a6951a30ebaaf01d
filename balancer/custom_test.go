package balancer_test

import (
	"fmt"
	"log"
	"testing"

	"github.com/goodgate/goodgate/balancer"
)

// fewest picks the usable member with the fewest requests in flight. A policy is used
// concurrently; this one has no state.
type fewest struct{ members []balancer.Member }

func (p fewest) Pick(c *balancer.Choice) (best *balancer.Member) {
	for i := range p.members {
		m := &p.members[i]
		if c.Usable(m) && (best == nil || m.InFlight() < best.InFlight()) {
			best = m
		}
	}
	return best
}

// Your own policy gets the members of each tier, and picks one for each attempt.
func ExamplePolicy() {
	options := balancer.DefaultOptions("app")
	options.NewPolicy = func(members []balancer.Member, _ balancer.PolicyOptions) balancer.Policy { return fewest{members} }
	pool, err := balancer.NewPool(options)
	if err != nil {
		log.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.2:80"}})
	defer pool.Update(nil)

	first := pool.Pick(&balancer.Choice{Replayable: true})
	lease, ok := first.TryAcquire()
	if !ok {
		log.Fatal("the limit was reached meanwhile")
	}
	defer lease.Release()
	second := pool.Pick(&balancer.Choice{Replayable: true})
	fmt.Println(pool.Policy(), first.Addr() != second.Addr())
	// Output: custom true
}

// TestCustomPolicyCannotHarm: the pool corrects a policy that picks a member that it must
// not, or none.
func TestCustomPolicyCannotHarm(t *testing.T) {
	t.Parallel()
	for name, pick := range map[string]func([]balancer.Member) *balancer.Member{
		"the tried one": func(members []balancer.Member) *balancer.Member { return &members[0] },
		"nothing":       func([]balancer.Member) *balancer.Member { return nil },
		"no policy":     nil,
	} {
		options := balancer.DefaultOptions("app")
		options.Policy = "mine"
		options.NewPolicy = func(members []balancer.Member, _ balancer.PolicyOptions) balancer.Policy {
			if pick == nil {
				return nil
			}
			return policyFunc(func(*balancer.Choice) *balancer.Member { return pick(members) })
		}
		pool, err := balancer.NewPool(options)
		if err != nil {
			t.Fatal(err)
		}
		pool.Update([]balancer.Spec{{Addr: "a:1"}, {Addr: "b:1"}, {Addr: "c:1"}})
		var tried []*balancer.Upstream
		for range 3 {
			m := pool.Pick(&balancer.Choice{Replayable: true, Tried: tried})
			if m == nil {
				t.Fatalf("%s: nobody is left after %d", name, len(tried))
			}
			for _, u := range tried {
				if u == m.Upstream {
					t.Errorf("%s: %s is picked twice", name, m.Addr())
				}
			}
			tried = append(tried, m.Upstream)
		}
		if m := pool.Pick(&balancer.Choice{Replayable: true, Tried: tried}); m != nil || pool.Policy() != "mine" {
			t.Errorf("%s: got %v by %s", name, m, pool.Policy())
		}
		pool.Update(nil)
	}
}

type policyFunc func(*balancer.Choice) *balancer.Member

func (f policyFunc) Pick(c *balancer.Choice) *balancer.Member { return f(c) }
