package proxy

import (
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// A reload keeps the older responses, unless its settings for them change.
func TestReloadKeepsOlderResponses(t *testing.T) {
	t.Parallel()
	b := balancer.Options{Name: "app"}
	o := PoolOptions{Stale: Stale{MaxSize: 1 << 20, IfError: time.Hour}}
	p, err := NewPool(b, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		stale Stale
		kept  bool
	}{{o.Stale, true}, {Stale{MaxSize: 1 << 20, IfError: time.Minute}, false}, {Stale{}, false}} {
		o.Stale = tc.stale
		next, err := p.With(b, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := next.stale == p.stale; got != tc.kept {
			t.Errorf("%+v: kept %t, want %t", tc.stale, got, tc.kept)
		}
		if got, want := next.stale != nil, tc.stale.MaxSize > 0; got != want {
			t.Errorf("%+v: on %t, want %t", tc.stale, got, want)
		}
	}
}
