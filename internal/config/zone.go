package config

// Zone is the zone of this goodgate, so that requests can stay in it.
type Zone struct {
	Name         string      `yaml:"name" opt:"shorthand" default:"" format:"zone" example:"${ZONE:-}" help:"Zone of this goodgate; empty sends requests to all zones alike. Upstreams get theirs from their source, or from their key zone."`
	File         string      `yaml:"file" default:"" opt:"file" example:"/run/goodgate/zone" help:"File with the zone's name, in place of name, for example from an init container. goodgate reads it at start and reload."`
	Load         Ratio       `yaml:"load" default:"120%" min:"100%" max:"1000%" help:"Highest load of an upstream, relative to an even spread over all zones; requests beyond it go to other zones."`
	MinUpstreams int         `yaml:"min_upstreams" default:"6" min:"1" max:"10000" help:"Fewest upstreams of a tier, over all zones, for which requests stay in their zone. Requests of a smaller tier go to all zones alike."`
	Peers        []ZonePeers `yaml:"peers" help:"Number of goodgates in each zone. When absent, the fleet's numbers count; without a fleet, all zones count as equal."`
}

// ZonePeers is the number of goodgates in a zone.
type ZonePeers struct {
	Zone  string `yaml:"zone" opt:"required" format:"zone" example:"eu-1a" help:"Name of the zone."`
	Count int    `yaml:"count" opt:"required" min:"0" max:"100000" example:"2" help:"Number of goodgates there, each with an equal part of the traffic."`
}

func (v *validator) zone(z Zone) {
	if z.Name != "" && z.File != "" {
		v.errorf("zone.file", "excludes name: keep one")
	}
	seen := map[string]bool{}
	for i, p := range z.Peers {
		if seen[p.Zone] {
			v.errorf(index("zone.peers", i)+".zone", "found %q: listed twice", p.Zone)
		}
		seen[p.Zone] = true
	}
}
