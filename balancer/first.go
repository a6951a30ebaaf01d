package balancer

// first picks the first usable member in the order of the configuration. It visits the
// members before that one. They are few, unless most of the pool is out.
type first struct{ members []Member }

func newFirst(members []Member, _ PolicyOptions) Policy { return &first{members} }

func (p *first) Pick(c *Choice) *Member { return c.scanFrom(p.members, 0) }
