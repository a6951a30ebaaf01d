package config

// Cache keeps responses that say how long they are fresh, and answers with them. Responses that belong to one user never are
// kept.
type Cache struct {
	Enabled bool     `yaml:"enabled" default:"false" opt:"shorthand" help:"Whether goodgate keeps responses, and answers with them while they are fresh."`
	MaxSize Size     `yaml:"max_size" default:"64MiB" min:"64KiB" max:"1024GiB" help:"Memory for responses, shared with stale; the larger value counts."`
	Wait    Duration `yaml:"wait" default:"5s" min:"1ms" max:"1m" zero:"not at all" help:"Longest wait for another request that fetches the same response."`
}
