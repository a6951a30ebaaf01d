package fleet

import (
	"slices"
	"strings"
	"time"
)

// goneFor is how long a member that has left, or is no longer heard of, still counts in
// [State.Steady]. It answers its last requests meanwhile. And when the engine has lost
// everything, all members come back sooner than that.
const goneFor = lease

// FollowMembers calls changed whenever [State.Members] or [State.Steady] have changed, one
// after the other. It is called before Run.
func (f *Fleet) FollowMembers(changed func(*State)) { f.followers = append(f.followers, changed) }

// settle counts members that are gone for a while longer. Only the time while the engine
// answers counts. changed says that the members have just. It is called by the goroutine of
// beat.
func (f *Fleet) settle(now time.Time, changed bool) {
	s := f.State()
	steady := slices.Clone(s.Members)
	for _, m := range s.Steady {
		if slices.ContainsFunc(s.Members, func(o Member) bool { return o.ID == m.ID }) {
			delete(f.gone, m.ID)
			continue
		}
		since, known := f.gone[m.ID]
		switch {
		case !known:
			f.gone[m.ID] = now
		case now.Sub(since) >= goneFor:
			delete(f.gone, m.ID)
			continue
		}
		steady = append(steady, m)
	}
	slices.SortFunc(steady, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	if !changed && slices.Equal(steady, s.Steady) {
		return
	}
	f.turn(func(s *State) { s.Steady = steady })
	for _, changed := range f.followers {
		changed(f.State())
	}
}

// Zones returns how many members run in each zone, without those whose zone is not known.
func (s *State) Zones() map[string]int {
	zones := map[string]int{}
	for _, m := range s.Steady {
		if m.Zone != "" {
			zones[m.Zone]++
		}
	}
	return zones
}

// Portion is what falls to one of several instances that divide a number among them. The
// zero value divides nothing.
type Portion struct {
	Of    int // instances
	Place int // of this one among them
}

// Portion returns that of this instance.
func (s *State) Portion() Portion {
	place := slices.IndexFunc(s.Steady, func(m Member) bool { return m.ID == s.Own })
	return Portion{Of: len(s.Steady), Place: max(place, 0)}
}

// Share returns a part of total, which is at least 1. The parts of all instances differ by
// 1 at most, and add up to total if that is not less than their number. Which of them has
// 1 more depends on turn, so that they take turns when there is much to divide.
func (p Portion) Share(total int, turn uint64) int {
	if p.Of <= 1 {
		return total
	}
	share := total / p.Of
	if (p.Place+int(turn%uint64(p.Of)))%p.Of < total%p.Of {
		share++
	}
	return max(share, 1)
}
