package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/fleet"
)

// introductionKind is the prefix of the keys of introductions.
const introductionKind = "introduction "

// introduction is the share of the requests that the new version of a deploy gets. The
// instance that leads the deploy publishes it, and the others follow.
type introduction struct {
	Leader     string   `json:"leader"` // ID of the member
	Name       string   `json:"name"`   // of the instance
	Pool       string   `json:"pool"`
	Upstreams  []string `json:"upstreams,omitempty"`
	Share      float64  `json:"share"`
	Replayable bool     `json:"replayable,omitempty"`
	Ended      bool     `json:"ended,omitempty"`
}

func (i introduction) same(o introduction) bool {
	return slices.Equal(i.Upstreams, o.Upstreams) && i.Share == o.Share && i.Replayable == o.Replayable && i.Ended == o.Ended && i.Leader == o.Leader
}

// introductions holds the introductions of the fleet.
type introductions struct {
	mu     sync.Mutex              // protects the fields below
	own    map[string]introduction // by pool: last published
	others map[string]introduction // by pool: led by other instances
}

// shareIntroductions follows the introductions that other instances lead. It is called
// before the fleet runs.
func (f *inFleet) shareIntroductions(g *Gate) {
	f.introductions.own, f.introductions.others = map[string]introduction{}, map[string]introduction{}
	f.follow(introductionKind, func(w fleet.Word) bool {
		var in introduction
		if json.Unmarshal(w.Value, &in) != nil || in.Leader == f.State().Own || g.deploys.Progress(in.Pool) != "" {
			return true
		}
		f.introductions.mu.Lock()
		f.introductions.others[in.Pool] = in
		maps.DeleteFunc(f.introductions.others, func(_ string, in introduction) bool { return in.Ended })
		f.introductions.mu.Unlock()
		p := g.current.Load().pools[in.Pool]
		switch {
		case p == nil:
		case in.Ended:
			p.live().Introduce(nil)
		default:
			p.live().Introduce(&balancer.Introduction{Upstreams: in.Upstreams, Share: in.Share, Replayable: in.Replayable})
		}
		return true
	})
}

// introduce publishes the share of the new version in a pool whose deploy this instance
// leads. f may be nil.
func (f *inFleet) introduce(pool string, in *balancer.Introduction) {
	if f == nil {
		return
	}
	next := introduction{Leader: f.State().Own, Name: f.name(), Pool: pool, Ended: in == nil}
	if in != nil {
		next.Upstreams, next.Share, next.Replayable = in.Upstreams, in.Share, in.Replayable
	}
	f.introductions.mu.Lock()
	last, told := f.introductions.own[pool]
	f.introductions.own[pool] = next
	f.introductions.mu.Unlock()
	if told && last.same(next) {
		return
	}
	value, err := json.Marshal(next)
	if err != nil {
		return
	}
	f.Words().Set(introductionKind+strconv.FormatUint(f.Hash([]byte(introductionKind+pool)), 36), value, time.Now().Add(endedFor))
}

// name returns the name of this instance.
func (f *inFleet) name() string {
	s := f.State()
	for _, m := range s.Members {
		if m.ID == s.Own {
			return m.Name
		}
	}
	return s.Own
}

// led describes the state of a deploy that another instance leads; empty = none is known.
// f may be nil.
func (f *inFleet) led(pool string) string {
	if f == nil {
		return ""
	}
	f.introductions.mu.Lock()
	defer f.introductions.mu.Unlock()
	in, ok := f.introductions.others[pool]
	if !ok {
		return ""
	}
	return fmt.Sprintf("led by instance %s, %.3g %% of the requests; new: %s", in.Name, 100*in.Share, strings.Join(in.Upstreams, ", "))
}

// progress describes the state of the deploy to a pool, here or at the instance that
// leads it.
func (g *Gate) progress(pool string) string {
	if own := g.deploys.Progress(pool); own != "" {
		return own
	}
	return g.fleet.led(pool)
}
