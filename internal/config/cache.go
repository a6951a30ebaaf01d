package config

// Cache keeps responses that say how long they are fresh, and answers with them. Responses that belong to one user never are
// kept.
type Cache struct {
	Enabled bool     `yaml:"enabled" default:"false" opt:"shorthand" help:"Whether responses are kept to answer with while they are fresh."`
	MaxSize Size     `yaml:"max_size" default:"64MiB" min:"64KiB" max:"1024GiB" help:"Memory for them, shared with stale; the larger counts."`
	Wait    Duration `yaml:"wait" default:"5s" min:"1ms" max:"1m" zero:"not at all" help:"How long requests wait at most for one that fetches the same, instead of asking an upstream too."`
}
