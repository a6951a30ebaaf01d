package fleet

import (
	"cmp"
	"strings"
	"time"
)

// Stamp orders writes by a hybrid logical clock (Kulkarni et al., Logical Physical
// Clocks, 2014): a write after seeing another one has the later stamp, whatever the
// clocks show. The physical part is the engine's clock, so that machines with different
// clocks also agree on the order of unrelated writes.
type Stamp struct {
	Time  int64  `json:"t"` // Unix milliseconds
	Count uint32 `json:"n,omitempty"`
	By    string `json:"by"` // ID of the member
}

// Compare returns -1, 0 or 1 if s is before, the same as, or after o.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.Time, o.Time), cmp.Compare(s.Count, o.Count), strings.Compare(s.By, o.By))
}

// clock generates stamps. It is not safe for concurrent use.
type clock struct {
	by   string
	last Stamp
}

// next returns a stamp that is later than all generated and seen ones.
func (c *clock) next(now time.Time) Stamp {
	if t := now.UnixMilli(); t > c.last.Time {
		c.last = Stamp{Time: t}
	} else {
		c.last.Count++
	}
	c.last.By = c.by
	return c.last
}

// see records another instance's stamp.
func (c *clock) see(s Stamp) {
	if s.Compare(c.last) > 0 {
		c.last = s
	}
}
