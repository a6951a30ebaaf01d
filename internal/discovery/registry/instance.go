package registry

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/goodgate/goodgate/internal/discovery"
)

// maxWeight is the largest weight of a target.
const maxWeight = 1000

// at returns base with an address, or the reason against it.
func at(base discovery.Target, host string, port int) (t discovery.Target, why string) {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return base, "it has no address"
	case err == nil && (ip.IsUnspecified() || ip.IsMulticast()):
		return base, "its address is " + host + ", which no host has"
	case port < 1 || port > 65535:
		return base, "it has no port"
	}
	scheme := "http"
	if base.TLS {
		scheme = "https"
	}
	t, err = discovery.ParseEntry(scheme+"://"+net.JoinHostPort(host, strconv.Itoa(port)), base)
	if err != nil {
		return base, err.Error()
	}
	return t, ""
}

// lacks names the missing tags.
func lacks(tags, want []string) string {
	for _, tag := range want {
		if !slices.Contains(tags, tag) {
			return "it lacks the tag " + tag
		}
	}
	return ""
}

// metadata returns the entries with a value.
func metadata(all map[string]string) discovery.Metadata {
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return discovery.NewMetadata(all)
}

// zone returns the first valid zone.
func zone(names ...string) string {
	if i := slices.IndexFunc(names, discovery.IsZone); i >= 0 {
		return names[i]
	}
	return ""
}
