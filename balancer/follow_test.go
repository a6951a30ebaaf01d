package balancer_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/balancer"
)

func addresses(list []*balancer.Upstream) string {
	var all []string
	for _, u := range list {
		all = append(all, u.Addr())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func newFollowed(t *testing.T, addrs ...string) *balancer.Pool {
	t.Helper()
	p, err := balancer.NewPool(balancer.DefaultOptions("app"))
	if err != nil {
		t.Fatal(err)
	}
	p.Update(specsOf(addrs...))
	return p
}

func specsOf(addrs ...string) (list []balancer.Spec) {
	for _, a := range addrs {
		list = append(list, balancer.Spec{Addr: a})
	}
	return list
}

// A follower gets every change. Upstreams that join meanwhile wait for a verdict. They
// count as up when the last follower stops.
func TestFollow(t *testing.T) {
	p := newFollowed(t, "a:1")
	var told []string
	stop := p.Follow(func(list []*balancer.Upstream) { told = append(told, addresses(list)) })
	p.Update(specsOf("a:1", "b:1"))
	available := func() (list []string) {
		for _, u := range p.Upstreams() {
			if u.Available() {
				list = append(list, u.Addr())
			}
		}
		return list
	}
	if got := available(); !slices.Equal(got, []string{"a:1"}) {
		t.Errorf("%v are available before the first verdict, want a:1 alone", got)
	}
	for _, u := range p.Upstreams() {
		u.ObserveProbe(balancer.Passed, balancer.Thresholds{})
	}
	p.Update(specsOf("a:1", "b:1", "c:1"))
	if err := p.Configure(balancer.DefaultOptions("app")); err != nil { // which does not say Checked
		t.Fatal(err)
	}
	if got := available(); !slices.Equal(got, []string{"a:1", "b:1"}) {
		t.Errorf("%v are available with verdicts about a and b", got)
	}
	stop()
	stop()
	if got := available(); len(got) != 3 {
		t.Errorf("%v are available when nobody gives verdicts", got)
	}
	p.Update(nil)
	if got := fmt.Sprintf("%q", told); got != `["a:1" "a:1 b:1" "a:1 b:1 c:1"]` {
		t.Errorf("told %s", got)
	}
}

// With concurrent changes of a pool, a follower gets one call at a time, and finally
// the final set.
func TestFollowTogether(t *testing.T) {
	p := newFollowed(t)
	var last string // no lock: calls do not overlap
	stop := p.Follow(func(list []*balancer.Upstream) { last = addresses(list) })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				p.Update(specsOf(fmt.Sprintf("%d:%d", i, n), "x:1"))
			}
		})
	}
	wg.Wait()
	stop()
	if want := addresses(p.Upstreams()); last != want {
		t.Errorf("told %s last, the pool has %s", last, want)
	}
}
