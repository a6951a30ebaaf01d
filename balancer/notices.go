package balancer

import "time"

// This file tells Options.Notify of changes in the order in which they happened,
// one at a time, and without a lock held.

// maxNotices bounds the changes that wait while Notify runs. Further ones are
// merged: when it has caught up, Notify is told how each upstream is.
const maxNotices = 1024

// notices are the changes that Notify has not been told of yet.
type notices struct {
	list       []Change
	missed     bool // there was no room for a change
	delivering bool // a goroutine is in deliver
}

// notice queues a change of u's availability. Called with mu held.
func (p *Pool) notice(u *Upstream) {
	switch n := &p.notices; {
	case u.counted == u.noticed:
	case len(n.list) == maxNotices:
		n.missed = true
	default:
		u.noticed = u.counted
		n.list = append(n.list, Change{Upstream: u, Available: u.counted, Left: p.left(), Early: u.counted && u.Early()})
		u.moments.flip(time.Now())
	}
}

// noticeAll is notice for all members. Called with mu held.
func (p *Pool) noticeAll() {
	for i := range p.set.Load().members {
		p.notice(p.set.Load().members[i].Upstream)
	}
}

// deliver tells Notify of what is queued, unless another goroutine, or a caller
// of this one, is at it.
func (p *Pool) deliver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.notices
	if n.delivering {
		return
	}
	n.delivering = true
	defer func() { n.delivering = false }()
	for len(n.list) > 0 {
		list := n.list
		n.list = nil
		p.tell(list)
		if n.missed {
			n.missed = false
			p.noticeAll()
		}
	}
}

// tell calls Notify without the lock that is held.
func (p *Pool) tell(changes []Change) {
	p.mu.Unlock()
	defer p.mu.Lock()
	if notify := p.opts.Load().Notify; notify != nil {
		for _, c := range changes {
			notify(c)
		}
	}
}
