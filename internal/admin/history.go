package admin

import (
	"cmp"
	"sync"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// Sizes of the history. A pool takes 26 KB once it has had a request, an upstream 2 KB.
const (
	slotSeconds   = 10  // length of a slot; a pool's hour is kept in slots
	historySlots  = 360 // an hour
	cellSeconds   = 60  // length of a cell; an upstream's hour is kept in cells
	historyCells  = 60  // an hour
	statusClasses = 5   // 1xx to 5xx
)

// history keeps an hour of each pool and upstream. It is safe for concurrent use; the
// zero value is ready.
type history struct {
	mu    sync.Mutex // protects the field below
	pools map[string]*poolPast
}

// poolPast is a pool's hour.
type poolPast struct {
	slots     [historySlots]bin
	open      int64     // the slot of took
	took      histogram // of the requests in this slot
	upstreams map[string]*upstreamPast
}

// bin counts the requests that ended in ten seconds.
type bin struct {
	at                                         int64 // Unix time over slotSeconds; another number = unused
	received, sent                             uint64
	requests, escaped, hidden, faster, refused uint32
	classes                                    [statusClasses]uint32
	p50, p99                                   float32 // milliseconds; 0 = unknown
}

// upstreamPast is an upstream's hour, with more detail of its last minute.
type upstreamPast struct {
	cells  [historyCells]cell
	recent window[answers]
}

// cell counts the attempts of a minute, and its seconds in which the upstream was not
// available.
type cell struct {
	at               int64
	attempts, failed uint32
	seen, out        uint8 // seconds
}

// answers counts the answers to attempts in ten seconds.
type answers struct {
	classes [statusClasses]uint32
	sent    uint64 // bytes of bodies sent to clients
}

// observe counts a request that ended at now, in seconds of Unix time. It does not keep
// the record.
func (h *history) observe(r *proxy.Record, now int64) {
	if r.Pool == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pool(r.Pool)
	p.count(r, now)
	for i := range r.Attempts {
		a := &r.Attempts[i]
		owner := p
		if a.Pool != "" {
			owner = h.pool(a.Pool)
		}
		u := owner.upstream(a.Upstream)
		u.count(a, now)
		if a.Upstream == r.Upstream && a.Decision == reason.Answered {
			u.recent.at(now).sent += uint64(max(r.Sent, 0))
		}
	}
}

// pool returns a pool's hour. mu must be held.
func (h *history) pool(name string) *poolPast {
	p := h.pools[name]
	if p == nil {
		p = &poolPast{upstreams: map[string]*upstreamPast{}}
		if h.pools == nil {
			h.pools = map[string]*poolPast{}
		}
		h.pools[name] = p
	}
	return p
}

func (p *poolPast) upstream(address string) *upstreamPast {
	u := p.upstreams[address]
	if u == nil {
		u = new(upstreamPast)
		p.upstreams[address] = u
	}
	return u
}

func (p *poolPast) count(r *proxy.Record, now int64) {
	s := p.slot(now / slotSeconds)
	s.requests++
	s.received += uint64(max(r.Received, 0))
	s.sent += uint64(max(r.Sent, 0))
	if c := r.Status/100 - 1; c >= 0 && c < statusClasses {
		s.classes[c]++
	}
	switch {
	case r.Escaped():
		s.escaped++
	case r.Reason != reason.None:
		s.refused++
	}
	switch {
	case r.Absorbed == reason.ByHedge && r.Hidden == reason.None:
		s.faster++
	case r.Absorbed != reason.ByNothing:
		s.hidden++
	}
	p.took.add(r.Duration)
}

// slot returns the bin to count in. A request that ends slightly late counts in the open
// slot, which keeps its latency.
func (p *poolPast) slot(at int64) *bin {
	if at == p.open-1 {
		at = p.open
	}
	s := &p.slots[at%historySlots]
	if at != p.open {
		last := &p.slots[p.open%historySlots]
		last.p50, last.p99 = p.quantiles()
		p.open, p.took = at, histogram{}
	}
	if s.at != at {
		*s = bin{at: at}
	}
	return s
}

func (p *poolPast) quantiles() (p50, p99 float32) {
	return float32(milliseconds(p.took.quantile(.5))), float32(milliseconds(p.took.quantile(.99)))
}

func (u *upstreamPast) count(a *proxy.Attempt, now int64) {
	c := u.cell(now)
	c.attempts++
	if a.Reason.Fault() == reason.FaultUpstream {
		c.failed++
	}
	if class := a.Status/100 - 1; class >= 0 && class < statusClasses {
		u.recent.at(now).classes[class]++
	}
}

func (u *upstreamPast) cell(now int64) *cell {
	at := now / cellSeconds
	c := &u.cells[at%historyCells]
	if c.at != at {
		*c = cell{at: at}
	}
	return c
}

// look records whether an upstream was available in a second.
func (h *history) look(pool, address string, available bool, now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.pool(pool).upstream(address).cell(now)
	if c.seen < cellSeconds {
		c.seen++
		if !available {
			c.out++
		}
	}
}

// keep drops all pools and upstreams that are not in present.
func (h *history) keep(present map[string]map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, p := range h.pools {
		if present[name] == nil {
			delete(h.pools, name)
			continue
		}
		for address := range p.upstreams {
			if !present[name][address] {
				delete(p.upstreams, address)
			}
		}
	}
}

// Hour is the result of a pool's requests, in slots of Step seconds. Every list has one
// value per slot.
type Hour struct {
	Start    int64                   `json:"start"` // Unix time of the first slot
	Step     int64                   `json:"step"`  // seconds
	Requests []uint32                `json:"requests"`
	Escaped  []uint32                `json:"escaped"`
	Hidden   []uint32                `json:"hidden"`
	Faster   []uint32                `json:"made_faster"`
	Refused  []uint32                `json:"refused"`
	Classes  [statusClasses][]uint32 `json:"classes"`  // by status: 1xx, 2xx, 3xx, 4xx, 5xx
	Received []uint64                `json:"received"` // bytes of request bodies
	Sent     []uint64                `json:"sent"`     // bytes of response bodies
	P50MS    []float64               `json:"p50_ms"`   // 0 = no request
	P99MS    []float64               `json:"p99_ms"`
}

// hour returns a pool's slots that begin at a time or later. The last whole slot is at
// the end.
func (h *history) hour(pool string, from, now int64) Hour {
	end := now / slotSeconds
	first := min(max((from+slotSeconds-1)/slotSeconds, end-historySlots+1), end)
	out := Hour{Start: first * slotSeconds, Step: slotSeconds}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := cmp.Or(h.pools[pool], new(poolPast))
	for at := first; at < end; at++ {
		s := p.at(at)
		out.Requests, out.Escaped, out.Hidden = append(out.Requests, s.requests), append(out.Escaped, s.escaped), append(out.Hidden, s.hidden)
		out.Faster, out.Refused = append(out.Faster, s.faster), append(out.Refused, s.refused)
		out.Received, out.Sent = append(out.Received, s.received), append(out.Sent, s.sent)
		out.P50MS, out.P99MS = append(out.P50MS, short3(s.p50)), append(out.P99MS, short3(s.p99))
		for i, n := range s.classes {
			out.Classes[i] = append(out.Classes[i], n)
		}
	}
	return out
}

// at returns a slot with its latencies, or an empty one if it is unknown.
func (p *poolPast) at(n int64) bin {
	s := p.slots[n%historySlots]
	if s.at != n {
		return bin{}
	}
	if n == p.open {
		s.p50, s.p99 = p.quantiles()
	}
	return s
}

// short3 rounds to three digits, more than the histogram's precision.
func short3(ms float32) float64 {
	scale := 1.0
	for float64(ms)*scale < 100 && scale < 1000 {
		scale *= 10
	}
	return float64(int64(float64(ms)*scale+.5)) / scale
}

// Traffic describes an upstream's answers in the last minute.
type Traffic struct {
	Classes [statusClasses]uint32 `json:"classes"`          // by status: 1xx, 2xx, 3xx, 4xx, 5xx
	Rate    float64               `json:"bytes_per_second"` // of bodies sent to clients
}

// Cell is a minute of an upstream: its attempts, the failed ones, the seconds in which it
// was observed, and those in which it was not available.
type Cell [4]uint32

// upstream returns an upstream's traffic, and its hour with the present minute at the
// end.
func (h *history) upstream(pool, address string, now int64) (t Traffic, cells []Cell) {
	h.mu.Lock()
	defer h.mu.Unlock()
	cells = make([]Cell, historyCells)
	p := h.pools[pool]
	if p == nil || p.upstreams[address] == nil {
		return t, cells
	}
	u := p.upstreams[address]
	sent := uint64(0)
	for s := range u.recent.last(now) {
		sent += s.sent
		for c, n := range s.classes {
			t.Classes[c] += n
		}
	}
	t.Rate = float64(sent) / pastSeconds
	for i := range cells {
		at := now/cellSeconds - historyCells + 1 + int64(i)
		if c := &u.cells[at%historyCells]; c.at == at {
			cells[i] = Cell{c.attempts, c.failed, uint32(c.seen), uint32(c.out)}
		}
	}
	return t, cells
}

const sparkSlots = 60

// spark returns a pool's whole slots of the last ten minutes, for the overview.
func (h *history) spark(pool string, now int64) (requests, escaped []uint32) {
	end := now / slotSeconds
	requests, escaped = make([]uint32, sparkSlots), make([]uint32, sparkSlots)
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pools[pool]
	if p == nil {
		return requests, escaped
	}
	for i := range sparkSlots {
		s := &p.slots[(end-sparkSlots+int64(i))%historySlots]
		if s.at == end-sparkSlots+int64(i) {
			requests[i], escaped[i] = s.requests, s.escaped
		}
	}
	return requests, escaped
}
