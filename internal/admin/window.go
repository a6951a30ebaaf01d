package admin

import (
	"iter"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

const (
	pastSeconds = 60                   // seconds that a pool keeps one by one
	pieces      = 6                    // pieces of a last minute
	pieceLength = pastSeconds / pieces // seconds
	goneAfter   = 600                  // seconds without attempts until an upstream is dropped
)

// window is the last minute in pieces of ten seconds, including the present one. So it is
// 51 to 60 seconds long, for pools and upstreams alike.
type window[T any] [pieces]struct {
	number int64 // number of the piece since 1970
	what   T
}

// at returns the piece of a second.
func (w *window[T]) at(now int64) *T {
	number := now / pieceLength
	p := &w[slot(number, pieces)]
	if p.number != number {
		var none T
		p.number, p.what = number, none
	}
	return &p.what
}

// old returns the piece that the piece of now replaces, nil if it already has.
func (w *window[T]) old(now int64) *T {
	if p := &w[slot(now/pieceLength, pieces)]; p.number != now/pieceLength {
		return &p.what
	}
	return nil
}

// last returns the pieces of the minute that ends now, oldest first.
func (w *window[T]) last(now int64) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for n := now/pieceLength - pieces + 1; n <= now/pieceLength; n++ {
			if p := &w[slot(n, pieces)]; p.number == n && !yield(&p.what) {
				return
			}
		}
	}
}

// before returns the pieces that are older than this minute and not yet replaced.
func (w *window[T]) before(now int64) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for i := range w {
			if p := &w[i]; p.number <= now/pieceLength-pieces && !yield(&p.what) {
				return
			}
		}
	}
}

// slot returns the index of a number in a ring.
func slot(n int64, of int) int {
	i := int(n % int64(of))
	if i < 0 { // before 1970
		i += of
	}
	return i
}

// begins returns the first second of the minute that ends now.
func begins(now int64) int64 { return (now/pieceLength - pieces + 1) * pieceLength }

// sighting counts how often a situation occurred, and when.
type sighting struct {
	n, escaped  int
	first, last time.Time
	longest     time.Duration // longest wait of a held request
	err         string        // of the first occurrence
	status      int           // of the last answer, if the status was the failure
	name        string        // the name that did not resolve
	path        string        // of the last request, if it matters
	paths       bool          // several paths occurred
}

// sightings are by situation. The table of situations bounds their number.
type sightings map[situation.ID]*sighting

// note adds one occurrence.
func (s *sightings) note(id situation.ID, at time.Time, escaped bool, err error) *sighting {
	if *s == nil {
		*s = sightings{}
	}
	x := (*s)[id]
	if x == nil {
		x = &sighting{first: at, last: at, err: text(err), name: unresolved(err)}
		(*s)[id] = x
	}
	x.n++
	if escaped {
		x.escaped++
	}
	x.span(at, at)
	return x
}

// asked records the requested path.
func (x *sighting) asked(path string) {
	if path == "" || x.path == path {
		return
	}
	x.paths = x.paths || x.path != ""
	x.path = cut(path, pathShown)
}

// pathShown is the longest part of a path in a trouble, in bytes.
const pathShown = 80

func (x *sighting) span(first, last time.Time) {
	if first.Before(x.first) {
		x.first = first
	}
	if last.After(x.last) {
		x.last = last
	}
}

// times returns the number of all occurrences.
func (s sightings) times() (n int) {
	for _, x := range s {
		n += x.n
	}
	return n
}

// merge adds the sightings of another piece of the minute.
func (s *sightings) merge(o sightings) {
	for id, y := range o {
		if *s == nil {
			*s = sightings{}
		}
		x := (*s)[id]
		if x == nil {
			c := *y
			(*s)[id] = &c
			continue
		}
		x.n += y.n
		x.escaped += y.escaped
		x.span(y.first, y.last)
		x.longest = max(x.longest, y.longest)
		if y.status != 0 {
			x.status = y.status
		}
		x.paths = x.paths || y.paths
		x.asked(y.path)
	}
}
