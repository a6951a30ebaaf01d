package nginxlog

import "time"

// slots is how finely a window is counted.
const slots = 64

// window counts what happened lately, without knowing what the last moment will
// be: in slots that are used again as time goes on.
type window struct {
	slot  [slots]int64 // which moment each is for
	count [slots]uint32
}

// width is how long a slot is. One more than the window is there, as it begins
// within a slot.
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

// sum counts what was not before a moment.
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
