package limit

// Room limits the connections of several listeners together. It is safe for concurrent
// use. A nil Room has no limit.
type Room struct {
	places chan struct{} // one element per connection
	waits  func(bool)
}

// NewRoom returns a room for n connections. The accepting goroutine calls waits when a
// connection begins to wait (true), and when that wait ends (false).
func NewRoom(n int, waits func(bool)) *Room {
	return &Room{places: make(chan struct{}, n), waits: waits}
}

// take waits for a place. It returns false if closed closes first.
func (r *Room) take(closed <-chan struct{}) bool {
	return r == nil || place(r.places, closed, r.waits)
}

// place takes one of the places. If none is free it calls waits, which may be nil. It
// returns false if closed closes first.
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
