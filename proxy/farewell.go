package proxy

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// farewellBound is the time that both sides of a WebSocket connection have to answer a
// Close frame. Then the connection ends anyway.
const farewellBound = time.Second

// lane is one direction of a WebSocket connection. To end the connection, it sends a
// Close frame after the current frame, and drops everything after that.
type lane struct {
	masked  bool // toward the upstream
	leaving atomic.Bool
	ended   func() // called without a lock when the sender's Close frame has passed

	mu   sync.Mutex // protects the fields below; held during a write
	to   io.Writer  // nil = not set yet
	at   frames
	left bool // the lane has sent a Close frame
}

// leadTo sets the destination of the lane.
func (l *lane) leadTo(w io.Writer) io.Writer {
	l.mu.Lock()
	l.to = w
	l.mu.Unlock()
	if l.leaving.Load() {
		l.leave()
	}
	return l
}

// Write sends data to the lane's destination.
func (l *lane) Write(p []byte) (int, error) {
	l.mu.Lock()
	n, err := l.send(p)
	closed := l.at.closed
	l.mu.Unlock()
	if l.leaving.Load() && err == nil { // leave may have been called in the meantime
		l.leave()
	}
	if closed {
		l.ended()
	}
	return n, err
}

// send sends p, or after leave only the rest of the current frame. mu must be held.
func (l *lane) send(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if l.leaving.Load() && l.at.between() && !l.at.closed {
			if err := l.sayBye(); err != nil {
				return 0, err
			}
		}
		dropped := l.left
		n := l.at.follow(rest)
		if !dropped && !l.leaving.Load() { // the usual case: everything in one write
			for n < len(rest) {
				n += l.at.follow(rest[n:])
			}
		}
		if !dropped {
			if _, err := l.to.Write(rest[:n]); err != nil {
				return 0, err
			}
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// leave ends the lane at the end of the current frame. It does not wait for a write.
func (l *lane) leave() {
	l.leaving.Store(true)
	if !l.mu.TryLock() {
		return // the goroutine that holds mu checks leaving again
	}
	defer l.mu.Unlock()
	if l.at.between() && !l.at.closed {
		l.sayBye()
	}
}

// sayBye sends the Close frame. mu must be held.
func (l *lane) sayBye() error {
	if l.left || l.to == nil {
		return nil
	}
	l.left = true
	_, err := l.to.Write(closeFrame(goingAway, l.masked))
	return err
}

// farewell ends the tunnel of a WebSocket with Close frames.
type farewell struct {
	toClient, toUpstream lane
	answers              atomic.Int32
}

func newFarewell(t *tunnel) *farewell {
	f := &farewell{}
	f.toUpstream.masked, f.toUpstream.to = true, t.ReadWriteCloser
	var once [2]sync.Once
	for i, l := range []*lane{&f.toClient, &f.toUpstream} {
		l.ended = func() {
			once[i].Do(func() {
				if f.answers.Add(1) == 2 && t.leaving.Load() {
					t.Close()
				}
			})
		}
	}
	return f
}

// leave ends the tunnel. A WebSocket gets Close frames in both directions, and
// farewellBound to answer them. Any other tunnel ends at once.
func (t *tunnel) leave() {
	t.how.CompareAndSwap(uint32(TunnelClosed), uint32(TunnelDrained))
	if t.farewell == nil {
		t.Close()
		return
	}
	if t.leaving.Swap(true) {
		return
	}
	t.all.mu.Lock()
	if _, open := t.all.set[t]; open {
		t.bye = time.AfterFunc(farewellBound, func() { t.Close() })
	}
	t.all.mu.Unlock()
	t.all.byes.Go(func() { // it may wait for a slow receiver, until bye fires
		t.farewell.toClient.leave() // first: the upstream may end the tunnel at once
		t.farewell.toUpstream.leave()
	})
}
