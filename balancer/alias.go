package balancer

import (
	"math"
	"math/rand/v2"
)

// drawTries is the number of draws for a usable member before a policy scans. Even with
// half of the members out, four draws fail only once in 16.
const drawTries = 4

// urn draws members at random in proportion to their weights, in constant time: Vose's
// form of the alias method. (M. D. Vose, A linear algorithm for generating random numbers
// with a given distribution, 1991.)
type urn struct {
	members []Member
	slots   []slot // nil if all weights are equal
}

// slot is one of equal parts of the range, one per member. Below cut it belongs to the
// member with the same index, above cut to its alias.
type slot struct {
	cut   uint32 // in units of 2^-32
	alias int32
}

func newUrn(members []Member) *urn {
	u := &urn{members: members}
	if !equalWeights(members) {
		u.slots = newSlots(members)
	}
	return u
}

func equalWeights(members []Member) bool {
	for i := range members {
		if members[i].Weight != members[0].Weight {
			return false
		}
	}
	return true
}

// newSlots gives each slot a member with less than a slot's share and fills the rest with
// a part of a member that has more.
func newSlots(members []Member) []slot {
	slots := make([]slot, len(members))
	share := make([]float64, len(members)) // in slots
	scale := float64(len(members)) / float64(sumWeights(members))
	var less, more []int32
	for i := range members {
		share[i] = float64(members[i].Weight) * scale
		if share[i] < 1 {
			less = append(less, int32(i))
		} else {
			more = append(more, int32(i))
		}
	}
	for len(less) > 0 && len(more) > 0 {
		small, big := less[len(less)-1], more[len(more)-1]
		less = less[:len(less)-1]
		slots[small] = slot{cut: uint32(share[small] * (1 << 32)), alias: big}
		share[big] -= 1 - share[small]
		if share[big] < 1 {
			more = more[:len(more)-1]
			less = append(less, big)
		}
	}
	for _, i := range append(less, more...) { // these fill their slots, except for rounding
		slots[i] = slot{cut: math.MaxUint32, alias: i}
	}
	return slots
}

func sumWeights(members []Member) (sum int) {
	for i := range members {
		sum += members[i].Weight
	}
	return sum
}

// draw returns the index of a member. It uses one random number: the upper half selects
// the slot, and the lower half is compared with the cut.
func (u *urn) draw() int {
	r := rand.Uint64()
	i := int(r >> 32 * uint64(len(u.members)) >> 32)
	if u.slots != nil && uint32(r) >= u.slots[i].cut {
		return int(u.slots[i].alias)
	}
	return i
}

// one draws a usable member. It returns nil if a few draws find none.
func (u *urn) one(c *Choice) *Member {
	for range drawTries {
		if m := &u.members[u.draw()]; c.usable(m) {
			return m
		}
	}
	return nil
}

// two draws two different usable members. If a few draws find only one, b is nil; if they
// find none, both are nil.
func (u *urn) two(c *Choice) (a, b *Member) {
	a = u.one(c)
	n := len(u.members)
	if a == nil || n == 1 {
		return a, nil
	}
	for range drawTries {
		i := u.draw()
		m := &u.members[i]
		if m == a { // take any other: a draw by weight could need many tries
			m = &u.members[(i+1+rand.IntN(n-1))%n]
		}
		if c.usable(m) {
			return a, m
		}
	}
	return a, nil
}
