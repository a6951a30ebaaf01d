package config

import "fmt"

// Limits decide which requests are admitted.
type Limits struct {
	Rates       []Rate `yaml:"rates" help:"Rate limits."`
	MaxRequests int    `yaml:"max_requests" default:"0" min:"1" max:"10000000" zero:"no limit" help:"Concurrent requests; further ones get 503 (overloaded)."`
	MaxScope    string `yaml:"max_requests_scope" default:"instance" enum:"instance|fleet" help:"instance: each instance has max_requests of its own. fleet: the instances of the fleet share max_requests; each admits its part."`
	MaxBody     Size   `yaml:"max_body" default:"0B" min:"1B" max:"1024GiB" zero:"no limit" help:"Largest request body; larger ones get 413 (request_too_large)."`
}

// Rate limits the rate of requests with the same key.
type Rate struct {
	Name       string   `yaml:"name" format:"name" example:"per-client" help:"Name in the RateLimit header and the log; rate-N when absent."`
	On         []string `yaml:"on" default:"[client_ip]" opt:"single" format:"ratekey" example:"[client_ip, \"header:X-Tenant\"]" help:"What to count by: client_ip, all (one count for all clients), header:NAME (such as an API key), cookie:NAME, or text with variables such as {client_ip}{query:user}. A list counts each combination. Requests that have no part of the key are not limited."`
	Requests   int      `yaml:"requests" opt:"required" min:"1" max:"10000000" example:"100" help:"Requests in each period (per); further ones get 429 (rate_limited)."`
	Per        Duration `yaml:"per" default:"1s" min:"1ms" max:"24h" help:"Period for requests."`
	Burst      int      `yaml:"burst" default:"0" min:"1" max:"10000000" zero:"as many as requests" help:"Requests allowed at once after a pause."`
	IPv6Prefix int      `yaml:"ipv6_prefix" default:"64" min:"16" max:"128" help:"Bits of an IPv6 address that identify one client."`
	MaxKeys    int      `yaml:"max_keys" default:"65536" min:"16" max:"100000000" help:"Clients or keys to remember; beyond that goodgate forgets idle ones."`
	Scope      string   `yaml:"scope" default:"instance" enum:"instance|fleet" help:"instance: each instance counts alone. fleet: all instances of the fleet count together."`
	Exact      bool     `yaml:"exact" default:"false" help:"With scope fleet: ask the store about each request, and wait 20ms at most. For low limits, such as on logins."`
	DryRun     bool     `yaml:"dry_run" default:"false" help:"Refuse nothing, and log would_limit."`
}

// Queue configures the wait for a place while a pool's upstreams are at their limit.
type Queue struct {
	MaxRequests int      `yaml:"max_requests" default:"1000" min:"1" max:"1000000" help:"Requests that may wait. When the queue is full, the client with the most requests in it loses its oldest one (load shedding)."`
	MaxWait     Duration `yaml:"max_wait" default:"500ms" min:"1ms" max:"1m" help:"Longest wait in a burst. In an overload it is 50ms, or 80ms if the client has no other request in the queue. An overload begins when requests have been waiting without a break for max_wait, or when significantly more requests arrive than leave."`
}

// Concurrency adapts the limit of concurrent requests of each upstream to its capacity.
type Concurrency struct {
	Adaptive Adaptive `yaml:"adaptive" default:"auto" opt:"public" help:"Find the concurrency limit of each upstream automatically: true = always (max_in_flight stays a bound), false = never, auto = while the pool is overloaded and no upstream has max_in_flight."`
	Min      int      `yaml:"min" default:"1" min:"1" max:"1000000" help:"Lowest limit."`
	Max      int      `yaml:"max" default:"1000" min:"1" max:"1000000" help:"Highest limit."`
	Start    int      `yaml:"start" default:"10" min:"1" max:"1000000" help:"First limit. With adaptive: auto, it is instead the number of requests that saturated the upstream."`
}

// named names the rates without a name.
func (l *Limits) named() {
	for i := range l.Rates {
		if l.Rates[i].Name == "" {
			l.Rates[i].Name = fmt.Sprintf("rate-%d", i+1)
		}
	}
}
