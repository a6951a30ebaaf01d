package balancer

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// hashTries is the number of members offered to a key before a plain scan. Each is usable
// with the probability of the members' usable share, so the tries are seldom used up.
const hashTries = 16

// hash sends equal keys to the same member, and keeps nearly all keys in place when the
// set of members changes: Maglev hashing. (Eisenbud et al., Maglev: A fast and reliable
// software network load balancer, NSDI 2016, section 3.4.) The order of the configuration
// does not matter, so all proxies agree.
//
// A key whose member is out goes to other members in the key's own order. So the load of
// a lost member spreads, and no other key moves.
//
// A member's load is bounded by a multiple of the mean: a popular key overflows to the
// next member in its order. (Mirrokni et al., Consistent hashing with bounded loads,
// 2016.)
type hash struct {
	members  []Member
	table    []int32 // places in members
	load     float64 // bound of a member's load, as a multiple of the mean, divided by the sum of weights; 0 = none
	inFlight func() int64
}

func newHash(members []Member, o PolicyOptions) Policy {
	p := &hash{members: members, table: maglevTable(members), inFlight: o.InFlight}
	if o.HashLoad > 0 && o.InFlight != nil {
		p.load = o.HashLoad / float64(sumWeights(members))
	}
	return p
}

// Pick draws at random for a request without a key. If all tried members are over their
// bound, it ignores the bound.
func (p *hash) Pick(c *Choice) *Member {
	if len(p.members) == 0 {
		return nil
	}
	key := c.Hash
	if key == 0 {
		key = rand.Uint64()
	}
	bound := math.Inf(1)
	if p.load > 0 {
		bound = p.load * float64(p.inFlight()+1)
	}
	var loaded *Member // the first welcome member that is over its bound
	for i := range uint64(hashTries) {
		place, _ := bits.Mul64(mix(key+i*golden), uint64(len(p.table)))
		m := &p.members[p.table[place]]
		if !c.possible(m) || !c.welcome(m) {
			continue
		}
		if float64(m.inFlight.Load()+1) <= math.Ceil(bound*float64(m.Weight)) {
			return m
		}
		if loaded == nil && !c.near {
			loaded = m
		}
	}
	if loaded != nil {
		return loaded
	}
	if c.near {
		return nil
	}
	return c.scanFrom(p.members, int(mix(key)%uint64(len(p.members))))
}

// golden is 2^64 divided by the golden ratio: its multiples fill the range evenly.
const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of splitmix64: every bit of x affects all bits of the result.
// (Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014.)
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Sizes of the table, both prime. With 100 entries per member, shares differ by 1 %. The
// smaller table has that for up to 655 members; the larger has 52 entries per member for
// 10,000. There are only two sizes, because nearly all keys move when the size changes.
const (
	tableSize      = 65537
	largeTableSize = 524287
)

// maglevTable fills a table with indexes of members. Members take turns, by weight, to
// claim the first free entry in their own order of the entries.
func maglevTable(members []Member) []int32 {
	if len(members) == 0 {
		return nil
	}
	size := uint64(tableSize)
	if len(members) > tableSize/100 {
		size = largeTableSize
	}
	byID := make([]int32, len(members))
	for i := range byID {
		byID[i] = int32(i)
	}
	slices.SortFunc(byID, func(a, b int32) int { return cmp.Compare(members[a].id, members[b].id) })
	weights := make([]int, len(members))
	claims := make([]claim, len(members))
	for i, m := range byID {
		weights[i] = members[m].Weight
		claims[i] = newClaim(members[m].id, size)
	}
	table := make([]int32, size)
	for i := range table {
		table[i] = -1
	}
	turns := smoothSequence(weights)
	for turn := range table {
		i := turns[turn%len(turns)]
		table[claims[i].free(table)] = byID[i]
	}
	return table
}

// claim is a member's own order of the entries: from an offset in steps of skip. It
// visits all entries, because the size is prime.
type claim struct{ next, skip uint64 }

func newClaim(id, size uint64) claim {
	return claim{next: mix(id) % size, skip: mix(id+golden)%(size-1) + 1}
}

// free returns the first free entry in the claim's order.
func (c *claim) free(table []int32) uint64 {
	size := uint64(len(table))
	for {
		entry := c.next
		if c.next += c.skip; c.next >= size {
			c.next -= size
		}
		if table[entry] < 0 {
			return entry
		}
	}
}
