package top

import "github.com/goodgate/goodgate/internal/admin"

// lastMinute returns the number of a pool's errors that clients saw, and of those
// hidden from them. An older goodgate reports only the individual seconds.
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
