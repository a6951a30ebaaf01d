package fleet

import (
	"cmp"
	"strings"
	"time"
)

// Stamp orders what was written, by a hybrid logical clock (Kulkarni et al., Logical
// Physical Clocks, 2014): who writes after having seen another writing has the later
// stamp, whatever the clocks say. The physical part is the engine's clock, so that
// machines whose clocks differ agree also on what they have not seen of each other.
type Stamp struct {
	Time  int64  `json:"t"` // Unix milliseconds
	Count uint32 `json:"n,omitempty"`
	By    string `json:"by"` // ID of the member
}

// Compare returns -1, 0 or 1 as s is before, the same as, or after o.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.Time, o.Time), cmp.Compare(s.Count, o.Count), strings.Compare(s.By, o.By))
}

// clock gives stamps. It is not safe for concurrent use.
type clock struct {
	by   string
	last Stamp
}

// next returns a stamp that is later than all that were given or seen.
func (c *clock) next(now time.Time) Stamp {
	if t := now.UnixMilli(); t > c.last.Time {
		c.last = Stamp{Time: t}
	} else {
		c.last.Count++
	}
	c.last.By = c.by
	return c.last
}

// see takes note of another's stamp.
func (c *clock) see(s Stamp) {
	if s.Compare(c.last) > 0 {
		c.last = s
	}
}
