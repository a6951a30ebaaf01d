package proxy

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Split divides the requests of a route between pools. It chooses once for each
// request, before the limits of the pool.
//
// A client stays with its pool as long as the weights stay. When they change, a
// client moves from one pool to another only if the other's weight has grown
// beside that of the first. So with two pools the clients of the changed share
// move and nobody else, and with more, raising one weight moves clients to that
// pool alone (weighted rendezvous hashing; Thaler and Ravishankar 1998, Schindelhauer
// and Schomaker 2005). The choice depends on the names of the pools and on nothing
// of the route or this process: two routes, or two goodgates, choose alike.
type Split struct {
	Sides []Side
	// Weights are those of Sides. They may change while requests are served.
	Weights *Weights
	// By are what tells clients apart; the first that a request has counts. When it
	// has none the Cookie does; without one it goes to the first side. Without By
	// and Cookie each request is for itself.
	By []HashOn
	// Cookie tells clients apart by a cookie of the split's own; nil = there is none.
	Cookie *SplitCookie
	// Override lets clients choose; nil = none may.
	Override *Override
	// Spill sends requests to another side while the one that was chosen has no
	// upstream available. Without it they wait, and fail, there.
	Spill bool
	// Observe is told of each of the route's requests when it has ended, as those of
	// [Options.Observe] are; nil = nobody.
	Observe func(*Record)

	seeds []uint64
}

// Side is a pool of a split.
type Side struct {
	Pool     *Pool
	Fallback *Fallback // for what Pool cannot answer; nil = nobody
}

// SplitCookie is a cookie with an identity that says nothing. It is given to clients
// that have none.
type SplitCookie struct {
	Name string
	TTL  time.Duration // 0 = until the browser closes
}

// Override is how a client chooses its side: by naming the pool.
type Override struct {
	Header  string         // empty = none
	Cookie  string         // empty = none
	Clients []netip.Prefix // who may; nil = everybody. The header of others is taken off
}

// Weights are the weights of a split's sides. They are safe for concurrent use.
type Weights struct{ of atomic.Pointer[[]float64] }

// NewWeights returns weights to begin with.
func NewWeights(of []float64) *Weights {
	w := new(Weights)
	w.Set(of)
	return w
}

// Set changes the weights. A side with weight 0 gets nothing but what overrides send.
func (w *Weights) Set(of []float64) {
	of = slices.Clone(of)
	w.of.Store(&of)
}

// Get returns the weights, which are not to be changed.
func (w *Weights) Get() []float64 { return *w.of.Load() }

// SplitChoice is what became of a request on a route with a split.
type SplitChoice struct {
	Client uint64 // hash of what tells the client; 0 = not known
	Side   int32  // from 1; 0 = the route has no split
	// Chosen says that the side was not left to the weights: by an override, or
	// because there was nothing to tell the client by. It says nothing about the
	// side then, beside others.
	Chosen  bool
	Spilled bool // another side took the request
}

// prepare checks a route's split.
func (s *Split) prepare(rt *Route) error {
	if s == nil {
		return nil
	}
	if len(s.Sides) < 2 || s.Weights == nil || len(s.Weights.Get()) != len(s.Sides) {
		return fmt.Errorf("route %s: a split needs two pools at least, and a weight for each", rt.Name)
	}
	s.seeds = make([]uint64, len(s.Sides))
	for i, side := range s.Sides {
		if side.Pool == nil {
			return errors.New("route " + rt.Name + ": a side of the split has no pool")
		}
		if err := side.Fallback.prepare(rt); err != nil {
			return err
		}
		s.seeds[i] = balancer.Hash(side.Pool.Name())
	}
	return nil
}

// side finds the exchange's pool.
func (x *exchange) side() {
	x.pool, x.standby = x.route.Pool, x.route.Fallback
	s := x.route.Split
	if s == nil {
		return
	}
	i := s.choose(x)
	if x.standby == nil {
		x.standby = s.Sides[i].Fallback
	}
	x.pool = s.Sides[i].Pool
}

// choose returns the side, and notes it.
func (s *Split) choose(x *exchange) int {
	c := &x.record.Split
	c.Side = 1
	if i, ok := s.overridden(x); ok {
		c.Chosen, c.Side = true, int32(i+1)
		return i
	}
	key, ok := s.key(x)
	if !ok {
		c.Chosen = true
		return 0
	}
	weights := s.Weights.Get()
	i := s.of(key, weights, false)
	c.Side = int32(i + 1)
	if s.Spill && !s.Sides[i].Pool.hasAvailable() {
		if other := s.of(key, weights, true); other >= 0 && other != i {
			c.Spilled = true
			return other
		}
	}
	return max(i, 0)
}

// of returns the side of a key: the one with the least draw from the exponential
// distribution with its weight. It is -1 when none is available that has a weight.
func (s *Split) of(key uint64, weights []float64, available bool) int {
	best, least := -1, math.Inf(1)
	for i, w := range weights {
		if w <= 0 || available && !s.Sides[i].Pool.hasAvailable() {
			continue
		}
		u := (float64(mix(key^s.seeds[i])>>11) + 0.5) / (1 << 53)
		if draw := -math.Log(u) / w; draw < least {
			best, least = i, draw
		}
	}
	return best
}

// mix spreads a hash over all bits (the finalizer of SplitMix64; Steele, Lea, Flood
// 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// key returns what tells the client; ok is false when there is nothing.
func (s *Split) key(x *exchange) (key uint64, ok bool) {
	if len(s.By) == 0 && s.Cookie == nil {
		return mathrand.Uint64(), true
	}
	for _, on := range s.By {
		if h := on.hash(x.request, x.record.Client); h != 0 {
			x.record.Split.Client = h
			return h, true
		}
	}
	if s.Cookie == nil {
		return 0, false
	}
	v, has := x.request.Cookie(s.Cookie.Name)
	if !has || v == "" {
		v = newIdentity()
		x.more().identity = v
	}
	x.record.Split.Client = max(balancer.Hash(v), 1)
	return x.record.Split.Client, true
}

// newIdentity returns the value of a new cookie.
func newIdentity() string {
	var raw [16]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// overridden returns the side that the client asks for, if it may.
func (s *Split) overridden(x *exchange) (side int, ok bool) {
	o := s.Override
	if o == nil {
		return 0, false
	}
	if !o.allows(x.record.Client) {
		if o.Header != "" && x.request.Field(o.Header) != "" {
			x.request.DropFields(func(name string) bool { return header.EqualName(name, o.Header) })
		}
		return 0, false
	}
	if o.Header != "" {
		if i := s.named(x.request.Field(o.Header)); i >= 0 {
			return i, true
		}
	}
	if o.Cookie != "" {
		v, _ := x.request.Cookie(o.Cookie)
		if i := s.named(v); i >= 0 {
			return i, true
		}
	}
	return 0, false
}

func (o *Override) allows(client netip.Addr) bool {
	return o.Clients == nil || slices.ContainsFunc(o.Clients, func(p netip.Prefix) bool { return p.Contains(client) })
}

// named returns the side with a pool of this name, -1 without one.
func (s *Split) named(pool string) int {
	return slices.IndexFunc(s.Sides, func(side Side) bool { return side.Pool.Name() == pool })
}

// hasAvailable reports whether an upstream of the pool is available.
func (p *Pool) hasAvailable() bool {
	members := p.Members()
	for i := range members {
		if members[i].Available() {
			return true
		}
	}
	return false
}

// pin keeps the client where it is: on its upstream, and on its side of a split.
func (x *exchange) pin(h message.Editor) {
	if s := x.delivery.pool.opts.Sticky; s != nil {
		s.write(h, x)
	}
	identity := x.few().identity
	if identity == "" {
		return
	}
	s := x.route.Split.Cookie
	c := http.Cookie{
		Name:     s.Name,
		Value:    identity,
		Path:     "/",
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
		MaxAge:   int(s.TTL / time.Second),
		Secure:   x.https(),
	}
	h.Add("Set-Cookie", c.String())
}
