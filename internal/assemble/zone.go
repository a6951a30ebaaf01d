package assemble

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// maxZoneFile bounds the size of a file with the name of a zone, in bytes.
const maxZoneFile = 4 << 10

// Zone returns the zone of this process. It reads the file with the zone's name. An empty
// file is no error, because the zone may be unknown.
func Zone(c config.Zone) (balancer.ZoneOptions, error) {
	o := balancer.ZoneOptions{Own: c.Name, Load: float64(c.Load), Min: c.MinUpstreams}
	for _, p := range c.Peers {
		if o.Peers == nil {
			o.Peers = map[string]int{}
		}
		o.Peers[p.Zone] = p.Count
	}
	if c.File == "" {
		return o, nil
	}
	var err error
	if o.Own, err = zoneOf(c.File); err != nil {
		return o, fmt.Errorf("zone.file: %w", err)
	}
	return o, nil
}

// zoneOf returns the name of a zone in a file; empty = unknown.
func zoneOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxZoneFile))
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(text))
	if name != "" && !discovery.IsZone(name) {
		return "", fmt.Errorf("%s holds no name of a zone: expected at most 63 letters, digits and . _ - : /", file)
	}
	return name, nil
}
