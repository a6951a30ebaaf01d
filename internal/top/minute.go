package top

import "github.com/goodgate/goodgate/internal/admin"

// lastMinute returns how many errors of a pool clients saw, and how many were hidden from
// them. An older goodgate tells only the seconds one by one.
func lastMinute(p *admin.Pool) (seen, hidden int) {
	if p.Minute.Requests > 0 {
		return int(p.Minute.Escaped), int(p.Minute.Hidden)
	}
	for i := range p.Past.Escaped {
		seen += at(p.Past.Escaped, i)
		hidden += at(p.Past.Absorbed, i)
	}
	return seen, hidden
}
