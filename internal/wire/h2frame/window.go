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

// windows tracks how much the upstream allows each stream to send. If a stream's window
// becomes too large, net/http locks up permanently, with all users of its connection,
// so it must not see that.
type windows struct {
	mu      sync.Mutex // protects the fields below
	initial int64
	streams map[uint32]window
	latest  uint32 // the highest opened stream
	prune   int    // number of windows at which ended ones are removed
}

// window is the window of one stream.
type window struct {
	granted int64 // in addition to the initial window, minus the sent bytes
	ended   bool
}

// minPrune is the number of ended streams that may remain, because net/http takes a
// moment to forget a stream.
const minPrune = 256

func newWindows() windows {
	return windows{initial: 65535, streams: map[uint32]window{}, prune: minPrune}
}

// start sets the initial window, also for existing streams.
func (w *windows) start(initial uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.initial = int64(initial)
}

// open starts to track a stream, if it is not yet tracked.
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

// grant increases a stream's window, or reduces it by the bytes about to be sent. The
// error is the upstream's fault. It ignores streams that are no longer tracked.
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

// end records that a stream has ended.
func (w *windows) end(stream uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.streams[stream]; ok {
		s.ended = true
		w.streams[stream] = s
	}
}
