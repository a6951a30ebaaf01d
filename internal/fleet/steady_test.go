package fleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
)

// TestSteady checks that members that are gone still count for some time, and that a
// flush of the engine, or its loss, changes nothing.
func TestSteady(t *testing.T) {
	inFleet(t, 3, func(t *testing.T, m *fleet.Memory, all []*instance) {
		want := func(what string, of int) {
			t.Helper()
			if got := all[0].State().Portion(); got.Of != of {
				t.Errorf("%s: got %+v, want one of %d", what, got, of)
			}
		}
		want("at first", 3)
		m.Flush()
		for range 30 {
			time.Sleep(200 * time.Millisecond)
			want("flushed", 3)
		}
		m.Fail(errAway)
		time.Sleep(time.Minute)
		want("without the engine", 3)
		m.Flush()
		m.Fail(nil)
		for range 30 {
			time.Sleep(200 * time.Millisecond)
			want("with another one", 3)
		}
		all[2].stop()
		time.Sleep(3 * time.Second)
		want("while one that has left answers its last requests", 3)
		time.Sleep(5 * time.Second)
		want("later", 2)
	})
}

func TestFollowMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fleet.NewMemory()
		a := began(t, m, "a", secret)
		var seen []int
		a.FollowMembers(func(s *fleet.State) { seen = append(seen, 10*len(s.Members)+s.Portion().Of) })
		a.run(t)
		time.Sleep(2 * time.Second)
		b := began(t, skewed{Engine: m}, "b", secret).run(t)
		time.Sleep(2 * time.Second)
		b.stop()
		time.Sleep(10 * time.Second)
		a.stop()
		if !slices.Equal(slices.Compact(seen), []int{22, 12, 11}) {
			t.Errorf("told of %v, want one more, one member less, and one less that counts", seen)
		}
	})
}

func TestPortion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ total, of, least, most, sum int }{
		{400, 4, 100, 100, 400}, {10, 4, 2, 3, 10}, {3, 8, 1, 1, 8}, {1, 1, 1, 1, 1}, {7, 0, 7, 7, 7},
	} {
		for turn := range uint64(9) {
			sum := 0
			for place := range max(tc.of, 1) {
				n := fleet.Portion{Of: tc.of, Place: place}.Share(tc.total, turn)
				if n < tc.least || n > tc.most {
					t.Errorf("%d of %d: got %d", tc.total, tc.of, n)
				}
				sum += n
			}
			if sum != tc.sum {
				t.Errorf("%d of %d: the shares are %d together", tc.total, tc.of, sum)
			}
		}
	}
	const huge = ^uint64(0)
	if n := (fleet.Portion{Of: 3, Place: 2}).Share(3, huge); n != 1 {
		t.Errorf("got %d", n)
	}
}
