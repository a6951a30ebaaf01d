package config

// Zone says where this goodgate runs, so that requests stay in its zone.
type Zone struct {
	Name         string      `yaml:"name" opt:"shorthand" default:"" format:"zone" example:"${ZONE:-}" help:"Zone of this goodgate; empty sends requests to all zones alike. Upstreams have theirs from where they are found, or by their key zone."`
	File         string      `yaml:"file" default:"" opt:"file" help:"File with the name instead, such as one that an init container writes; read at a start and a reload."`
	Load         Ratio       `yaml:"load" default:"120%" min:"100%" max:"1000%" help:"Most load that an upstream takes, relative to an even spread over all zones; what is beyond goes to zones with less."`
	MinUpstreams int         `yaml:"min_upstreams" default:"6" min:"1" max:"10000" help:"With fewer upstreams, of one tier in all zones together, requests go to all zones alike."`
	Peers        []ZonePeers `yaml:"peers" help:"How many goodgates send from each zone; without it as many from each."`
}

// ZonePeers is how many goodgates run in a zone.
type ZonePeers struct {
	Zone  string `yaml:"zone" opt:"required" format:"zone" example:"eu-1a" help:"Name of the zone."`
	Count int    `yaml:"count" opt:"required" min:"0" max:"100000" example:"2" help:"Goodgates there, in equal parts of the traffic."`
}

func (v *validator) zone(z Zone) {
	if z.Name != "" && z.File != "" {
		v.errorf("zone.file", "excludes name: keep one")
	}
	seen := map[string]bool{}
	for i, p := range z.Peers {
		if seen[p.Zone] {
			v.errorf(index("zone.peers", i)+".zone", "found %q: that zone stands there twice", p.Zone)
		}
		seen[p.Zone] = true
	}
}
