package config

import "fmt"

// Fleet connects the instances that serve the same traffic.
type Fleet struct {
	Engine    string   `yaml:"engine" default:"redis" enum:"redis" help:"The store that the instances share. redis means Redis 5 or later, or Valkey."`
	Addresses []string `yaml:"addresses" opt:"required,single" format:"hostport" example:"[\"10.0.0.5:6379\"]" help:"host:port of the store; with sentinel.master, of the sentinels; with cluster, of some nodes."`
	Secret    Secret   `yaml:"secret" opt:"required" example:"\"${FLEET_SECRET}\"" help:"Key that encrypts the data in the store, except the counts of rates; at least 16 bytes, the same on all instances."`
	Name      string   `yaml:"name" default:"goodgate" format:"name" help:"Name of the fleet. Several fleets can share one store."`
	Instance  string   `yaml:"instance" default:"" format:"name" example:"gate-1" help:"Name of this instance; empty means the host's name."`
	Prefix    string   `yaml:"prefix" default:"goodgate" format:"name" help:"Prefix of all keys and channels in the store, before the fleet's name."`
	Database  int      `yaml:"database" default:"0" min:"0" max:"1000000" help:"Database number; a cluster has only 0."`
	Username  string   `yaml:"username" default:"" opt:"public" example:"goodgate" help:"User of the store (ACL); empty means its default user."`
	Password  Secret   `yaml:"password" default:"" example:"\"${REDIS_PASSWORD}\"" help:"Password for the store; empty sends none."`
	Cluster   bool     `yaml:"cluster" default:"false" help:"The store is a Redis Cluster."`
	Sentinel  Sentinel `yaml:"sentinel" help:"Redis Sentinel, which gives the address of the store."`
	Probes    string   `yaml:"probes" default:"auto" enum:"auto|shared|own" help:"How instances divide the health checks. shared: two instances check each upstream, and send the results to the others. own: each instance checks all upstreams. auto: shared with four or more instances, if instances times upstreams is 1000 or more; otherwise own."`
	TLS       *TLS     `yaml:"tls" examples:"server_name=redis.example.com" help:"TLS with the store; {} trusts the system's authorities."`
}

// Sentinel configures the sentinels that locate the store.
type Sentinel struct {
	Master   string `yaml:"master" default:"" format:"name" example:"mymaster" help:"Name of the primary that sentinels watch; empty uses no sentinels."`
	Username string `yaml:"username" default:"" opt:"public" example:"goodgate" help:"User of the sentinels; empty means their default user."`
	Password Secret `yaml:"password" default:"" example:"\"${SENTINEL_PASSWORD}\"" help:"Password for the sentinels; empty sends none."`
}

const noFleet = "found \"fleet\": fleet.addresses is missing: set it to the store that the instances share"

// fleet reports settings that cannot work between instances.
func (v *validator) fleet() {
	f := v.config.Fleet
	for path, l := range v.config.allLimits() {
		switch {
		case l.MaxScope == "fleet" && f == nil:
			v.errorf(path+".max_requests_scope", noFleet)
		case l.MaxScope == "fleet" && l.MaxRequests == 0:
			v.errorf(path+".max_requests_scope", "found \"fleet\": max_requests is missing: set the total that the instances divide")
		}
		for i, r := range l.Rates {
			at := index(path+".rates", i)
			switch {
			case r.Scope == "fleet" && f == nil:
				v.errorf(at+".scope", noFleet)
			case r.Exact && r.Scope != "fleet":
				v.errorf(at+".exact", "needs scope: fleet; the rate of a single instance is always exact")
			}
		}
	}
	for name, p := range v.config.Pools {
		for i, u := range p.Upstreams {
			if u.MaxScope == "fleet" && f == nil {
				v.errorf(index("pools."+name+".upstreams", i)+".max_in_flight_scope", noFleet)
			}
		}
	}
	if f == nil {
		return
	}
	if n := len(f.Secret); n > 0 && n < minToken {
		v.errorf("fleet.secret", "%s", tooShort(n))
	}
	switch {
	case f.Cluster && f.Sentinel.Master != "":
		v.errorf("fleet.cluster", "excludes sentinel.master: a cluster elects its primaries itself")
	case f.Cluster && f.Database != 0:
		v.errorf("fleet.database", "found %d: a cluster has only database 0", f.Database)
	case len(f.Addresses) > 1 && !f.Cluster && f.Sentinel.Master == "":
		v.errorf("fleet.addresses", "has %d addresses: set sentinel.master if they are sentinels, or cluster: true if they are nodes of a cluster", len(f.Addresses))
	}
	if f.Sentinel.Master == "" && (f.Sentinel.Username != "" || f.Sentinel.Password != "") {
		v.errorf("fleet.sentinel", "master is missing: set it to the name of the primary that the sentinels watch")
	}
	if f.TLS != nil {
		v.clientTLS("fleet.tls", *f.TLS)
	}
}

// allLimits returns all limits by their paths.
func (c *Config) allLimits() map[string]Limits {
	all := map[string]Limits{}
	for i, l := range c.Listeners {
		all[index("listeners", i)+".limits"] = l.Limits
	}
	for i, r := range c.Routes {
		all[index("routes", i)+".limits"] = r.Limits
	}
	for name, p := range c.Pools {
		all[fmt.Sprintf("pools.%s.limits", name)] = p.Limits
	}
	return all
}
