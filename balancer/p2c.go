package balancer

// p2c picks the less loaded of two members drawn at random. That keeps the greatest load
// exponentially smaller than one draw would. (M. Mitzenmacher, The power of two choices
// in randomized load balancing, 2001.)
//
// The draws go by weight, so that the weights hold while few requests are in flight. The
// comparison uses requests in flight per unit of weight, so that they hold under load. It
// does not add the new request: with (in-flight+1)/weight the heavier of two idle members
// would always win, and a light one would get the square of its share.
type p2c struct{ urn *urn }

func newP2C(members []Member, _ PolicyOptions) Policy { return &p2c{newUrn(members)} }

func (p *p2c) Pick(c *Choice) *Member {
	a, b := p.urn.two(c)
	switch {
	case a == nil:
		return c.scan(p.urn.members)
	case b == nil || a.load() <= b.load():
		return a
	}
	return b
}
