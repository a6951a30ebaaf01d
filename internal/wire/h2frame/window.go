package h2frame

import (
	"errors"
	"maps"
	"math"
	"sync"
)

// maxWindow is the largest window of flow control (RFC 9113, section 6.9.1).
const maxWindow = math.MaxInt32

var (
	errWindow = errors.New("the upstream has widened a stream's window beyond 2³¹−1")
	errIdle   = errors.New("the upstream has widened the window of a stream that was not opened")
)

// windows follows how much the upstream lets each stream send. net/http locks up
// for good when a stream's window becomes too wide, with all that use its
// connection, so it must not learn of that.
type windows struct {
	mu      sync.Mutex // protects the fields below
	initial int64
	streams map[uint32]window
	latest  uint32 // the highest that was opened
	prune   int    // how many there may be before those that ended are forgotten
}

// window is one stream's.
type window struct {
	granted int64 // beyond the initial window, less what was sent
	ended   bool
}

// minPrune is how many streams may have ended without being forgotten: net/http
// takes a moment to forget one.
const minPrune = 256

func newWindows() windows {
	return windows{initial: 65535, streams: map[uint32]window{}, prune: minPrune}
}

// start sets what streams have to begin with, those that exist as well.
func (w *windows) start(initial uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.initial = int64(initial)
}

// open begins to follow a stream, unless it is followed.
func (w *windows) open(stream uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.streams[stream]; ok {
		return
	}
	if len(w.streams) >= w.prune {
		maps.DeleteFunc(w.streams, func(_ uint32, s window) bool { return s.ended })
		w.prune = max(2*len(w.streams), minPrune)
	}
	w.streams[stream] = window{}
	w.latest = max(w.latest, stream)
}

// grant widens a stream's window, or narrows it by what is about to be sent. The
// error is the upstream's fault. A stream that was forgotten is nobody's.
func (w *windows) grant(stream uint32, n int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.streams[stream]
	switch {
	case stream > w.latest:
		return errIdle
	case !ok:
		return nil
	}
	s.granted += n
	w.streams[stream] = s
	if w.initial+s.granted > maxWindow {
		return errWindow
	}
	return nil
}

// end says that a stream has ended.
func (w *windows) end(stream uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.streams[stream]; ok {
		s.ended = true
		w.streams[stream] = s
	}
}
