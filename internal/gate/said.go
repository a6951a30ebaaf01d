package gate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// said holds the operators' changes of a pool's upstreams, except those that the pool's
// configuration overrules.
type said struct {
	added   []config.Upstream
	removed map[string]bool              // by address, or name and port
	states  map[string]balancer.Operator // by address
	weights map[string]int               // by address
}

// overruled is a change that conflicts with a configuration, and why.
type overruled struct {
	changes.Change
	why string
}

var operators = map[string]balancer.Operator{"ready": balancer.Ready, "drain": balancer.Drain, "off": balancer.Off}

// saidOf returns the changes about the upstreams of a pool, and in lost those that its
// configuration overrules.
func saidOf(pool string, c config.Pool, list []changes.Change) (w said, lost []overruled) {
	w.init()
	list = slices.DeleteFunc(slices.Clone(list), func(ch changes.Change) bool { return ch.Pool != pool })
	for _, ch := range list {
		if ch.Kind != changes.Added {
			continue
		}
		u, err := addedUpstream(ch)
		switch {
		case err != nil:
			lost = append(lost, overruled{ch, err.Error()})
		case slices.ContainsFunc(c.Upstreams, func(other config.Upstream) bool { return keyOf(other) == keyOf(u) }):
			lost = append(lost, overruled{ch, "the file has this upstream now"})
		default:
			w.added = append(w.added, u)
		}
	}
	entries := slices.Concat(c.Upstreams, w.added)
	for _, ch := range list {
		known := ch.Kind == changes.Removed || ch.Kind == changes.State || ch.Kind == changes.Weight
		switch {
		case !known:
		case ch.Base != "" && !slices.ContainsFunc(entries, func(u config.Upstream) bool { return base(ch.Kind, u) == ch.Base }):
			lost = append(lost, overruled{ch, "the file said " + ch.Base + ", which now has another value"})
		default:
			if err := w.take(ch); err != nil {
				lost = append(lost, overruled{ch, err.Error()})
			}
		}
	}
	return w, lost
}

func (w *said) init() {
	w.removed, w.states, w.weights = map[string]bool{}, map[string]balancer.Operator{}, map[string]int{}
}

// take adds one change about an existing upstream.
func (w *said) take(ch changes.Change) error {
	var err error
	switch ch.Kind {
	case changes.Removed:
		w.removed[ch.Upstream] = true
	case changes.State:
		var text string
		bad := json.Unmarshal(ch.Value, &text)
		state, known := operators[text]
		if bad != nil || !known {
			err = fmt.Errorf("state %s: it must be ready, drain or off", ch.Value)
		}
		w.states[ch.Upstream] = state
	case changes.Weight:
		var n int
		if json.Unmarshal(ch.Value, &n) != nil || n < 1 || n > maxWeight {
			err = fmt.Errorf("weight %s: it must be a whole number from 1 to %d", ch.Value, maxWeight)
		}
		w.weights[ch.Upstream] = n
	}
	return err
}

const maxWeight = 1000

// added is the value of a change of kind [changes.Added]. Zero values mean the defaults
// of an entry in the configuration.
type added struct {
	Weight      int `json:"weight,omitempty"`
	Tier        int `json:"tier,omitempty"`
	MaxInFlight int `json:"max_in_flight,omitempty"`

	MaxScope string `json:"max_in_flight_scope,omitempty"`
}

func addedOf(u config.Upstream) added {
	v := added{Weight: u.Weight, Tier: u.Tier, MaxInFlight: u.MaxInFlight}
	if u.MaxScope == "fleet" {
		v.MaxScope = u.MaxScope
	}
	return v
}

// addedUpstream returns an upstream that an operator has added, as an entry of the
// configuration.
func addedUpstream(ch changes.Change) (config.Upstream, error) {
	var v added
	if len(ch.Value) > 0 {
		if err := json.Unmarshal(ch.Value, &v); err != nil {
			return config.Upstream{}, fmt.Errorf("value %s: expected an object with weight, tier and max_in_flight (whole numbers), and max_in_flight_scope", ch.Value)
		}
	}
	url, err := normalURL(ch.Upstream)
	switch {
	case err != nil:
		return config.Upstream{}, err
	case v.Weight < 0 || v.Weight > maxWeight:
		return config.Upstream{}, fmt.Errorf("weight %d: it must be from 1 to %d", v.Weight, maxWeight)
	case v.Tier < 0 || v.Tier > 9:
		return config.Upstream{}, fmt.Errorf("tier %d: it must be from 0 to 9", v.Tier)
	case v.MaxInFlight < 0 || v.MaxInFlight > 1_000_000:
		return config.Upstream{}, fmt.Errorf("max_in_flight %d: it must be from 1 to 1000000, or 0 for no limit", v.MaxInFlight)
	case v.MaxScope != "" && v.MaxScope != "instance" && v.MaxScope != "fleet":
		return config.Upstream{}, fmt.Errorf("max_in_flight_scope %q: it must be instance or fleet", v.MaxScope)
	}
	return config.Upstream{URL: url, Scheme: "http", Weight: max(v.Weight, 1), Tier: v.Tier, MaxInFlight: v.MaxInFlight, MaxScope: cmp.Or(v.MaxScope, "instance")}, nil
}

// normalURL returns the canonical spelling of an upstream's URL. Without a scheme it is
// http.
func normalURL(text string) (string, error) {
	if !strings.Contains(text, "://") && !strings.HasPrefix(text, "unix:") {
		text = "http://" + text
	}
	t, _, err := discovery.ParseURL(text)
	switch {
	case err != nil:
		return "", err
	case strings.HasPrefix(t.Addr, "unix:"):
		return t.Addr, nil
	case t.TLS:
		return "https://" + t.Addr, nil
	}
	return "http://" + t.Addr, nil
}

// keyOf returns the identity of an entry: host:port, the path of a socket, or the source
// of its upstreams.
func keyOf(u config.Upstream) string {
	t, isName, err := discovery.ParseURL(u.URL)
	if u.URL == "" || err != nil {
		return u.Source()
	}
	if _, port, err := net.SplitHostPort(t.Addr); err == nil && isName {
		return net.JoinHostPort(t.Name, port)
	}
	return t.Addr
}

// base returns the configuration's value for a kind of change; a change holds while this
// value stays.
func base(k changes.Kind, u config.Upstream) string {
	switch k {
	case changes.State:
		return keyOf(u)
	case changes.Weight:
		return fmt.Sprintf("%s with weight %d", keyOf(u), u.Weight)
	}
	text := fmt.Sprintf("%s with weight %d, tier %d, max_in_flight %d", keyOf(u), u.Weight, u.Tier, u.MaxInFlight)
	if u.MaxScope == "fleet" {
		text += " of the fleet"
	}
	return text
}

// leaves reports whether operators have removed an upstream, by its address or by the
// name that it was found under.
func (w *said) leaves(s balancer.Spec) bool {
	if len(w.removed) == 0 || w.removed[s.Addr] {
		return len(w.removed) > 0
	}
	_, port, err := net.SplitHostPort(s.Addr)
	return err == nil && s.Name != "" && w.removed[net.JoinHostPort(s.Name, port)]
}
