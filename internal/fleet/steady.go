package fleet

import (
	"slices"
	"strings"
	"time"
)

// goneFor is how long a departed or silent member still counts in [State.Steady]. During
// this time it answers its last requests. After a loss of the engine's data all members
// return within this time.
const goneFor = lease

// FollowMembers calls changed whenever [State.Members] or [State.Steady] have changed,
// one call after the other. It must be called before Run.
func (f *Fleet) FollowMembers(changed func(*State)) { f.followers = append(f.followers, changed) }

// settle keeps departed members in Steady for goneFor, counting only time in which the
// engine answers. changed means that the members have just changed. The goroutine of beat
// calls it.
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

// Zones returns the number of members in each zone, without those of unknown zone.
func (s *State) Zones() map[string]int {
	zones := map[string]int{}
	for _, m := range s.Steady {
		if m.Zone != "" {
			zones[m.Zone]++
		}
	}
	return zones
}

// Portion is the place of one of several instances that divide numbers among them. The
// zero value divides nothing.
type Portion struct {
	Of    int // number of instances
	Place int // index of this instance
}

// Portion returns that of this instance.
func (s *State) Portion() Portion {
	place := slices.IndexFunc(s.Steady, func(m Member) bool { return m.ID == s.Own })
	return Portion{Of: len(s.Steady), Place: max(place, 0)}
}

// Share returns this instance's part of total, at least 1. The parts of all instances
// differ by at most 1, and add up to total if total is not less than their number. turn
// selects the instances with 1 more, so that with many totals the surplus is spread.
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
