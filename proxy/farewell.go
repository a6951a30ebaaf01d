package proxy

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// farewellBound is how long both sides of a WebSocket connection may take to answer a
// Close frame before the connection ends all the same.
const farewellBound = time.Second

// lane is one direction of a WebSocket connection. When the connection is to end it
// says so by a Close frame, at the end of the frame that is under way, and drops what
// comes after.
type lane struct {
	masked  bool // it leads to the upstream
	leaving atomic.Bool
	ended   func() // once the sender has answered with a Close frame; called without a lock

	mu   sync.Mutex // protects the fields below; held while something is sent
	to   io.Writer  // nil = nothing has been sent yet
	at   frames
	left bool // a Close frame was sent
}

// leadTo sets the lane's end.
func (l *lane) leadTo(w io.Writer) io.Writer {
	l.mu.Lock()
	l.to = w
	l.mu.Unlock()
	if l.leaving.Load() {
		l.leave()
	}
	return l
}

// Write sends what comes to the lane's end.
func (l *lane) Write(p []byte) (int, error) {
	l.mu.Lock()
	n, err := l.send(p)
	closed := l.at.closed
	l.mu.Unlock()
	if l.leaving.Load() && err == nil { // it may have been told meanwhile
		l.leave()
	}
	if closed {
		l.ended()
	}
	return n, err
}

// send sends p, or of it what belongs to the last frame. Called with mu held.
func (l *lane) send(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if l.leaving.Load() && l.at.between() && !l.at.closed {
			if err := l.sayBye(); err != nil {
				return 0, err
			}
		}
		dropped := l.left
		n := l.at.follow(rest)
		if !dropped && !l.leaving.Load() { // the usual case: all of it in one write
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

// leave has the lane end as soon as a frame has. It does not wait for a write.
func (l *lane) leave() {
	l.leaving.Store(true)
	if !l.mu.TryLock() {
		return // whoever has it looks again
	}
	defer l.mu.Unlock()
	if l.at.between() && !l.at.closed {
		l.sayBye()
	}
}

// sayBye sends the Close frame. Called with mu held.
func (l *lane) sayBye() error {
	if l.left || l.to == nil {
		return nil
	}
	l.left = true
	_, err := l.to.Write(closeFrame(goingAway, l.masked))
	return err
}

// farewell is what a tunnel of WebSocket has to end well.
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

// leave ends the tunnel: a WebSocket by Close frames to both sides, which have a moment
// to answer, anything else at once.
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
	for _, l := range []*lane{&t.farewell.toClient, &t.farewell.toUpstream} {
		t.all.byes.Go(l.leave) // it may wait for a slow receiver, until bye
	}
}
