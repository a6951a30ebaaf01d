package nginxlog

import "time"

// slots is the number of slots in a window.
const slots = 64

// window counts recent events before the end of the log is known. It reuses its slots
// as time proceeds.
type window struct {
	slot  [slots]int64 // the time of each slot, in widths
	count [slots]uint32
}

// width returns the width of a slot, in nanoseconds. There is one slot more than the
// window needs, because the window may begin inside a slot.
func width(of time.Duration) int64 {
	return max(int64(of)/(slots-1), int64(time.Second))
}

func (w *window) add(at time.Time, of time.Duration) {
	if at.IsZero() {
		return
	}
	n := at.UnixNano() / width(of)
	i := ((n % slots) + slots) % slots
	switch {
	case w.slot[i] < n:
		w.slot[i], w.count[i] = n, 1
	case w.slot[i] == n:
		w.count[i]++
	}
}

// sum returns the number of events since a time.
func (w *window) sum(from time.Time, of time.Duration) (n int64) {
	if from.IsZero() {
		return 0
	}
	first := from.UnixNano() / width(of)
	for i, c := range w.count {
		if w.slot[i] >= first {
			n += int64(c)
		}
	}
	return n
}
