package limit

// Room bounds the connections of several listeners together. It is safe for
// concurrent use. A nil one has no bound.
type Room struct {
	places chan struct{} // holds as many as are taken
	waits  func(bool)
}

// NewRoom returns room for n connections. waits is told, by whoever accepts, when
// one begins to wait (true) and when that wait is over (false).
func NewRoom(n int, waits func(bool)) *Room {
	return &Room{places: make(chan struct{}, n), waits: waits}
}

// take waits for a place, and reports false when closed is closed before there is
// one.
func (r *Room) take(closed <-chan struct{}) bool {
	return r == nil || place(r.places, closed, r.waits)
}

// place takes one of the places, and tells waits, which may be nil, when none is free.
// It reports false when closed is closed before there is one.
func place(places chan struct{}, closed <-chan struct{}, waits func(bool)) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	if waits != nil {
		waits(true)
		defer waits(false)
	}
	select {
	case places <- struct{}{}:
		return true
	case <-closed:
		return false
	}
}

func (r *Room) leave() {
	if r != nil {
		<-r.places
	}
}
