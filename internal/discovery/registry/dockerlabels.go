package registry

import (
	"strconv"

	"github.com/goodgate/goodgate/internal/discovery"
)

// containerLabels are a container's own settings for reaching it.
type containerLabels struct {
	port    int
	network string
}

// applyLabels applies a container's labels to t, and returns the other ones. A
// container with an invalid label is left out, because it might get requests intended
// for something else.
func applyLabels(t *discovery.Target, labels map[string]string) (l containerLabels, why string) {
	l.network = labels["goodgate.network"]
	for _, n := range []struct {
		label     string
		into      *int
		low, high int
	}{
		{"goodgate.port", &l.port, 1, 65535},
		{"goodgate.weight", &t.Weight, 1, maxWeight},
		{"goodgate.tier", &t.Tier, 0, 9},
		{"goodgate.max_in_flight", &t.MaxInFlight, 0, 1_000_000},
	} {
		text, ok := labels[n.label]
		if !ok {
			continue
		}
		value, err := strconv.Atoi(text)
		if err != nil || value < n.low || value > n.high {
			return l, "its label " + n.label + " is " + strconv.Quote(text) + ": expected a whole number from " + strconv.Itoa(n.low) + " to " + strconv.Itoa(n.high)
		}
		*n.into = value
	}
	if z, ok := labels["goodgate.zone"]; ok {
		if !discovery.IsZone(z) {
			return l, "its label goodgate.zone is " + strconv.Quote(z) + ", which is no zone"
		}
		t.Zone = z
	}
	switch scheme, ok := labels["goodgate.scheme"]; {
	case ok && scheme != "http" && scheme != "https":
		return l, "its label goodgate.scheme is " + strconv.Quote(scheme) + ": expected http or https"
	case ok:
		t.TLS = scheme == "https"
	}
	return l, ""
}

// number parses digits. It returns 0 for anything else.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
