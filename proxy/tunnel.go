package proxy

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/buffer"
	"github.com/goodgate/goodgate/internal/wire/header"
)

// tunnels are the open upgraded connections and streams.
type tunnels struct {
	buffers buffer.Pool

	mu   sync.Mutex // protects the fields below, and the timers of every tunnel
	set  map[*tunnel]struct{}
	none chan struct{} // closed when set becomes empty; nil while nobody waits

	streams map[*leasedBody]struct{} // answers that are streams
	byes    sync.WaitGroup           // Close frames that are being sent
}

// tunnel is the upstream's side of an upgraded connection.
type tunnel struct {
	io.ReadWriteCloser
	all   *tunnels
	once  sync.Once
	lease balancer.Lease

	bounds Tunnel
	idle   *time.Timer // nil without a limit
	end    *time.Timer // nil without a limit
	bye    *time.Timer // nil until the tunnel must end

	from     *balancer.Upstream
	since    time.Time   // when its upstream was first seen drained; zero = it is not. Protected by all.mu
	leaving  atomic.Bool // the tunnel must end
	farewell *farewell   // nil = its protocol has no closing message
	moved    atomic.Int64
	door     *atomic.Bool          // Listener.Leaving of a client's stream; nil = a connection
	cause    atomic.Pointer[error] // the error of the limit that ended it; nil = none
	how      atomic.Uint32         // a TunnelEnd, set before the tunnel closes for another reason than TunnelClosed

	count                *tunnelCount // its upstream's counts
	toUpstream, toClient atomic.Int64 // bytes
}

// Tunnel bounds upgraded connections, for example WebSockets.
type Tunnel struct {
	Idle     time.Duration // longest time without a byte in either direction; 0 = no limit
	Lifetime time.Duration // age of the connection; 0 = no limit
}

func (ts *tunnels) open(rwc io.ReadWriteCloser, a *attempt, bounds Tunnel, door *atomic.Bool) *tunnel {
	t := &tunnel{
		ReadWriteCloser: rwc, all: ts, lease: a.handOver(), bounds: bounds, door: door, count: &a.m.Link().(*endpointRef).tunnels, from: a.m.Upstream,
	}
	if strings.EqualFold(a.res.Only(header.Upgrade), "websocket") {
		t.farewell = newFarewell(t)
	}
	return ts.add(t)
}

func (ts *tunnels) add(t *tunnel) *tunnel {
	t.count.opened.Add(1)
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.set == nil {
		ts.set = map[*tunnel]struct{}{}
	}
	ts.set[t] = struct{}{}
	t.bound()
	return t
}

// bound starts the timers. all.mu must be held, so that no timer ends the tunnel before
// it is in the set.
func (t *tunnel) bound() {
	t.touch()
	if t.bounds.Idle > 0 {
		t.idle = time.AfterFunc(t.bounds.Idle, t.stoodStill)
	}
	if d := t.bounds.Lifetime; d > 0 {
		t.end = time.AfterFunc(d, func() {
			t.give(TunnelLifetime, fmt.Errorf("the tunnel has been open for %v (timeouts.tunnel_lifetime)", d))
		})
	}
}

// stoodStill runs when the tunnel may have been idle for too long.
func (t *tunnel) stoodStill() {
	if t.waits() {
		return
	}
	t.give(TunnelIdle, fmt.Errorf("nothing came through the tunnel for %v (timeouts.tunnel_idle)", t.bounds.Idle))
}

// waits resets the timer of an open tunnel to the rest of the idle limit. It reports
// whether there was a rest.
func (t *tunnel) waits() bool {
	left := t.bounds.Idle - time.Since(time.Unix(0, t.moved.Load()))
	if left <= 0 {
		return false
	}
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if _, open := t.all.set[t]; open {
		t.idle.Reset(left)
	}
	return true
}

// give ends the tunnel because of a limit.
func (t *tunnel) give(how TunnelEnd, cause error) {
	t.how.Store(uint32(how))
	t.cause.Store(&cause)
	t.Close()
}

func (t *tunnel) touch() {
	if t.bounds.Idle > 0 {
		t.moved.Store(time.Now().UnixNano())
	}
}

func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	t.toClient.Add(int64(n))
	t.count.toClient.Add(int64(n))
	t.touch()
	return n, err
}

func (t *tunnel) Write(p []byte) (int, error) {
	to := io.Writer(t.ReadWriteCloser)
	if t.farewell != nil {
		to = &t.farewell.toUpstream
	}
	n, err := to.Write(p)
	t.toUpstream.Add(int64(n))
	t.count.toUpstream.Add(int64(n))
	t.touch()
	return n, err
}

// WriteTo and ReadFrom keep io.Copy from allocating 32 KiB for each direction and holding
// it while the tunnel is silent.

// WriteTo copies the upstream's bytes to w.
func (t *tunnel) WriteTo(w io.Writer) (int64, error) {
	if t.farewell != nil {
		w = t.farewell.toClient.leadTo(w)
	}
	return t.all.buffers.Copy(w, t)
}

// ReadFrom copies the client's bytes to the upstream.
func (t *tunnel) ReadFrom(r io.Reader) (int64, error) { return t.all.buffers.Copy(t, r) }

// CloseWrite shuts down the sending side. The upstream may continue to send.
func (t *tunnel) CloseWrite() error {
	if cw, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return t.Close()
}

func (t *tunnel) Close() error {
	err := t.ReadWriteCloser.Close()
	t.once.Do(func() {
		t.count.ended[t.how.Load()].Add(1)
		t.lease.Release()
		t.all.remove(t) // last: leaveAll returns when the set is empty
	})
	return err
}

// remove removes a tunnel from the set, and stops its timers.
func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, timer := range []*time.Timer{t.idle, t.end, t.bye} {
		if timer != nil {
			timer.Stop()
		}
	}
	delete(ts.set, t)
	if len(ts.set) == 0 && ts.none != nil {
		close(ts.none)
		ts.none = nil
	}
}

// empty returns a channel that closes when no tunnel is open.
func (ts *tunnels) empty() <-chan struct{} {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.set) == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if ts.none == nil {
		ts.none = make(chan struct{})
	}
	return ts.none
}

// leaveAll ends all open tunnels, and waits until they have ended.
func (ts *tunnels) leaveAll() {
	ts.mu.Lock()
	open := slices.Collect(maps.Keys(ts.set))
	ts.mu.Unlock()
	for _, t := range open {
		t.leave()
	}
	<-ts.empty() // bounded by farewellBound
	ts.byes.Wait()
}
