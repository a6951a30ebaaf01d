package deadline

import (
	"math/rand/v2"
	"time"
)

// Age is the moment from which a connection serves no more requests. The zero value never
// comes. It may be copied.
type Age struct {
	at int64 // Unix nanoseconds, which take a third of the memory of a time.Time; 0 = never
}

// longestAge is far above any setting, and its end still fits an Age.
const longestAge = 100 * 365 * 24 * time.Hour

// AgeIn returns the age that a connection of this moment reaches after d, less a random
// tenth, so that connections of one moment do not end in one moment; d = 0 means never.
func AgeIn(d time.Duration) Age {
	if d <= 0 || d > longestAge {
		return Age{}
	}
	return Age{time.Now().Add(d - time.Duration(rand.Float64()*float64(d)/10)).UnixNano()}
}

// Reached reports whether the connection has reached its age.
func (a Age) Reached() bool { return a.at != 0 && time.Now().UnixNano() >= a.at }

// Left returns the time until then, and false if it never comes.
func (a Age) Left() (time.Duration, bool) {
	return time.Until(time.Unix(0, a.at)), a.at != 0
}
