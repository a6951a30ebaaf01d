package nginxlog

import "time"

// maxBuckets bounds a series.
const maxBuckets = 128

// Series counts what happened in stretches of time of one length, which doubles as
// the time that is covered grows. The zero value is ready.
type Series struct {
	Width time.Duration // of a bucket: a power of two seconds; 0 = nothing was counted
	Start time.Time     // of the first bucket
	Count []uint32
}

// add counts one at a time.
func (s *Series) add(at time.Time) {
	if s.Width == 0 {
		s.Width = time.Second
		s.Start = at.Truncate(s.Width)
	}
	first, last := s.reach(at)
	for last-first >= maxBuckets {
		s.coarsen()
		first, last = s.reach(at)
	}
	if first < 0 {
		s.Count = append(make([]uint32, -first), s.Count...)
		s.Start = s.Start.Add(time.Duration(first) * s.Width)
	}
	i := int(at.Sub(s.Start) / s.Width)
	for len(s.Count) <= i {
		s.Count = append(s.Count, 0)
	}
	s.Count[i]++
}

// reach returns the buckets, counted from the present first one, that there are with
// a time.
func (s *Series) reach(at time.Time) (first, last int) {
	i := int(at.Truncate(s.Width).Sub(s.Start) / s.Width)
	return min(0, i), max(len(s.Count)-1, i)
}

// coarsen makes one bucket of two.
func (s *Series) coarsen() {
	wide := 2 * s.Width
	start := s.Start.Truncate(wide)
	shift := int(s.Start.Sub(start) / s.Width)
	count := make([]uint32, (len(s.Count)+shift+1)/2)
	for i, n := range s.Count {
		count[(i+shift)/2] += n
	}
	s.Width, s.Start, s.Count = wide, start, count
}

// moved returns the series of a clock that shows another time.
func (s Series) moved(by time.Duration) Series {
	s.Start = s.Start.Add(by)
	return s
}
