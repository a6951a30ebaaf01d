package limit

// Room bounds the connections of several listeners together. It is safe for
// concurrent use. A nil one has no bound.
type Room struct {
	places chan struct{} // holds as many as are taken
	full   func()
}

// NewRoom returns room for n connections. full is told, by whoever accepts, each
// time that one has to wait.
func NewRoom(n int, full func()) *Room {
	return &Room{places: make(chan struct{}, n), full: full}
}

// take waits for a place, and reports false when closed is closed before there is
// one.
func (r *Room) take(closed <-chan struct{}) bool {
	if r == nil {
		return true
	}
	select {
	case r.places <- struct{}{}:
		return true
	default:
		r.full()
	}
	select {
	case r.places <- struct{}{}:
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
