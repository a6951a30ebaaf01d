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

// Split divides the requests of a route between pools. It chooses a side for each
// request, before it applies the limits of the pool.
//
// A client stays with its pool as long as the weights stay the same. When they change, a
// client moves only to a pool whose weight has grown relative to its own pool's. So with
// two pools, no more clients move than the new weights require. With more pools, raising
// one weight moves clients only to that pool (weighted rendezvous hashing; Thaler and
// Ravishankar 1998, Schindelhauer and Schomaker 2005). The choice depends only on the
// names of the pools, so two routes, or two goodgates, make the same choice.
type Split struct {
	Sides []Side
	// Weights are the weights of Sides. They may change while requests are served.
	Weights *Weights
	// By identifies clients; the first function that returns a value decides. If none
	// does, the Cookie decides, and without a Cookie the request goes to the first side.
	// If neither By nor Cookie is set, the split draws a side at random for each request.
	By []HashOn
	// Cookie identifies clients with a cookie of the split; nil = no cookie.
	Cookie *SplitCookie
	// Override lets clients choose; nil = they cannot.
	Override *Override
	// Spill sends requests to another side while the chosen one has no available
	// upstream. Otherwise they wait for the chosen side, or fail.
	Spill bool
	// Observe is called with each of the route's requests when it has ended, like the
	// functions of [Options.Observe]; nil = no call.
	Observe func(*Record)

	seeds []uint64
}

// Side is one pool of a split.
type Side struct {
	Pool     *Pool
	Fallback *Fallback // answers when Pool cannot; nil = none
}

// SplitCookie is a cookie with a random identity. Clients without one get it.
type SplitCookie struct {
	Name string
	TTL  time.Duration // 0 = until the browser closes
}

// Override lets a client choose its side of a split, by a header or cookie whose value is
// the name of the pool.
type Override struct {
	Header  string         // empty = none
	Cookie  string         // empty = none
	Clients []netip.Prefix // the clients that may choose; nil = all. The split removes the header of other clients
}

// Weights are the weights of a split's sides. They are safe for concurrent use.
type Weights struct{ of atomic.Pointer[[]float64] }

// NewWeights returns weights with initial values.
func NewWeights(of []float64) *Weights {
	w := new(Weights)
	w.Set(of)
	return w
}

// Set changes the weights. A side with weight 0 gets only requests whose client chose it
// by an override. But a split with [Split.By] always sends the requests of unidentified
// clients to its first side. If every weight is 0, the first side gets all requests.
func (w *Weights) Set(of []float64) {
	of = slices.Clone(of)
	w.of.Store(&of)
}

// Get returns the weights. They must not be changed.
func (w *Weights) Get() []float64 { return *w.of.Load() }

// SplitChoice is the choice of a side for a request on a route with a split.
type SplitChoice struct {
	Client uint64 // hash that identifies the client; 0 = unknown
	Side   int32  // from 1; 0 = the route has no split
	// Chosen reports that the weights did not choose the side: an override did, or the
	// request went to the first side because nothing identified the client. Comparisons
	// of the sides should leave out such requests.
	Chosen  bool
	Spilled bool // another side served the request
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
		var err error
		if s.Sides[i].Fallback, err = side.Fallback.prepared(rt); err != nil {
			return err
		}
		s.seeds[i] = balancer.Hash(side.Pool.Name())
	}
	return nil
}

// side sets the exchange's pool and fallback.
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

// choose returns the chosen side and records it.
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
	i := max(s.of(key, weights, false), 0) // without any weight, the first side
	c.Side = int32(i + 1)
	if s.Spill && !s.Sides[i].Pool.hasAvailable() {
		if other := s.of(key, weights, true); other >= 0 && other != i {
			c.Spilled = true
			return other
		}
	}
	return i
}

// of returns the side for a key: the one with the smallest draw from an exponential
// distribution whose rate is its weight. It returns -1 if no side qualifies.
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

// mix spreads a hash over all bits (finalizer of SplitMix64; Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// key returns the hash that identifies the client. ok is false without one.
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

// newIdentity returns a random value for a new cookie.
func newIdentity() string {
	var raw [16]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// overridden returns the side that the client has chosen, if it may choose.
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

// named returns the side whose pool has this name, or -1.
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

// pin sets the cookies that keep the client on its upstream and on its side of a split.
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
