package balancer

import "time"

// This file calls Options.Notify for each change, in the order of the changes, one at a
// time, and without a lock held.

// maxNotices bounds the changes that queue while Notify runs. The pool merges further
// ones: after the queue it reports only the last availability of each upstream that has
// changed.
const maxNotices = 1024

// notices is the queue of changes for Notify.
type notices struct {
	list       []Change
	missed     bool // there was no room for a change
	delivering bool // a goroutine is in deliver
}

// notice queues a change of u's availability. mu must be held.
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

// noticeAll is notice for all members. mu must be held.
func (p *Pool) noticeAll() {
	for i := range p.set.Load().members {
		p.notice(p.set.Load().members[i].Upstream)
	}
}

// deliver calls Notify for the queued changes. It returns at once if another goroutine,
// or a caller further up this stack, is delivering.
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

// tell calls Notify. It unlocks mu for that time.
func (p *Pool) tell(changes []Change) {
	p.mu.Unlock()
	defer p.mu.Lock()
	if notify := p.opts.Load().Notify; notify != nil {
		for _, c := range changes {
			notify(c)
		}
	}
}
