package config

// Cache keeps responses that state their freshness, and answers with them. It never keeps responses that belong to one
// user.
type Cache struct {
	Enabled bool     `yaml:"enabled" default:"false" opt:"shorthand" help:"Whether goodgate keeps responses, and answers with them while they are fresh."`
	MaxSize Size     `yaml:"max_size" default:"64MiB" min:"64KiB" max:"1024GiB" help:"Memory for responses. stale uses the same memory; the larger of the two max_size counts."`
	Wait    Duration `yaml:"wait" default:"5s" min:"1ms" max:"1m" zero:"not at all" help:"Longest wait for another request that fetches the same response."`
}

// RouteCache configures a route's use of its pool's cache.
type RouteCache struct {
	Enabled     bool     `yaml:"enabled" default:"true" opt:"shorthand" help:"Whether goodgate keeps responses of this route, and answers with them while they are fresh."`
	DefaultAge  Duration `yaml:"default_age" default:"0s" min:"1s" max:"8760h" zero:"such responses are not kept" help:"Freshness of responses with status 200 or 404 that have no Cache-Control and no Expires."`
	MaxAge      Duration `yaml:"max_age" default:"0s" min:"1s" max:"8760h" zero:"no limit" help:"Longest freshness, whatever the response says."`
	MaxBody     Size     `yaml:"max_body" default:"0B" min:"1B" max:"16MiB" zero:"the pool's commit.buffer" help:"Largest body to keep."`
	IgnoreQuery []string `yaml:"ignore_query" default:"[]" opt:"single" format:"parameter" example:"[\"utm_*\", gclid]" help:"Query parameters that do not change the answer; a * at the end stands for the rest of a name. The upstream still receives them."`
	Vary        []string `yaml:"vary" default:"[]" opt:"single" format:"header" example:"[X-Device]" help:"Request headers that change the answer although its Vary does not list them."`
}
