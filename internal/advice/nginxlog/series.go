package nginxlog

import "time"

// maxBuckets bounds the number of buckets in a series.
const maxBuckets = 128

// Series counts events over time, in buckets of equal width. The width doubles when the
// covered time grows. The zero value is ready for use.
type Series struct {
	Width time.Duration // width of a bucket, a power of two in seconds; 0 = no events
	Start time.Time     // begin of the first bucket
	Count []uint32
}

// add counts one event.
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

// reach returns the first and last bucket, relative to the present first one, if the
// time is included.
func (s *Series) reach(at time.Time) (first, last int) {
	i := int(at.Truncate(s.Width).Sub(s.Start) / s.Width)
	return min(0, i), max(len(s.Count)-1, i)
}

// coarsen joins each pair of buckets.
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

// moved returns the series with its times shifted.
func (s Series) moved(by time.Duration) Series {
	s.Start = s.Start.Add(by)
	return s
}
