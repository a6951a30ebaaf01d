package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/http1"
)

// lease hands the lease to the response's body, or to the tunnel that an
// upgraded response carries. It ends with a body that is here already.
func (x *exchange) lease(t *try) {
	res := t.res
	if res.StatusCode == http.StatusSwitchingProtocols {
		if rwc, ok := res.Body.(io.ReadWriteCloser); ok {
			x.limit.lift() // a tunnel lives as long as both sides want
			x.tunnel = x.proxy.tunnels.open(rwc, t.lease)
			res.Body = x.tunnel
			return
		}
	}
	if b, ok := res.Body.(*collected); ok && b.complete {
		t.end()
		return
	}
	res.Body = &leasedBody{ReadCloser: res.Body, x: x, t: t, entry: len(x.record.Attempts) - 1}
}

// leasedBody is a response's body. It ends the lease when the body ends and
// records why a body ended early, which httputil would not tell.
type leasedBody struct {
	io.ReadCloser
	x     *exchange
	t     *try // the body's
	entry int  // of the try in the record
	ended bool
}

func (b *leasedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, err
}

func (b *leasedBody) Close() error {
	err := b.ReadCloser.Close()
	b.end(io.EOF)
	return err
}

func (b *leasedBody) end(err error) {
	if b.ended {
		return
	}
	b.ended = true
	if err != io.EOF {
		b.broke(err)
	}
	b.t.end()
}

// broke records a body that did not arrive whole.
func (b *leasedBody) broke(err error) {
	reason := b.x.bodyReason(err)
	b.x.record.Reason = reason
	if b.entry >= 0 && b.entry < len(b.x.record.Attempts) {
		a := &b.x.record.Attempts[b.entry]
		a.Reason, a.Err = reason, err
	}
	if reason.Fault() == FaultUpstream {
		b.t.lease.Report(balancer.Unreachable, 0)
	}
}

// bodyReason tells why a body did not arrive whole.
func (x *exchange) bodyReason(err error) Reason {
	if r := contextReason(x); r != None {
		return r
	}
	if seen, ok := errors.AsType[*http1.Error](err); ok && seen.Kind == http1.Timeout {
		return ResponseStalled
	}
	return ResponseTruncated
}

// tunnels are the upgraded connections that are open.
type tunnels struct {
	mu   sync.Mutex // protects set
	set  map[*tunnel]struct{}
	none chan struct{} // closed when set becomes empty; nil while nobody waits
}

// tunnel is the upstream's side of an upgraded connection.
type tunnel struct {
	io.ReadWriteCloser
	all   *tunnels
	once  sync.Once
	lease balancer.Lease
}

func (ts *tunnels) open(rwc io.ReadWriteCloser, lease balancer.Lease) *tunnel {
	t := &tunnel{ReadWriteCloser: rwc, all: ts, lease: lease}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.set == nil {
		ts.set = map[*tunnel]struct{}{}
	}
	ts.set[t] = struct{}{}
	return t
}

// CloseWrite says that this side has finished, while the other may go on.
func (t *tunnel) CloseWrite() error {
	if cw, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return t.Close()
}

func (t *tunnel) Close() error {
	err := t.ReadWriteCloser.Close()
	t.once.Do(func() {
		t.all.mu.Lock()
		delete(t.all.set, t)
		if len(t.all.set) == 0 && t.all.none != nil {
			close(t.all.none)
			t.all.none = nil
		}
		t.all.mu.Unlock()
		t.lease.Release()
	})
	return err
}

// empty returns a channel that is closed once no tunnel is open.
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

func (ts *tunnels) closeAll() {
	ts.mu.Lock()
	open := make([]*tunnel, 0, len(ts.set))
	for t := range ts.set {
		open = append(open, t)
	}
	ts.mu.Unlock()
	for _, t := range open {
		t.Close()
	}
}
