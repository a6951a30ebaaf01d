package config

import "slices"

// Compress says which answers are compressed. What is compressed already, events, ranges and what says no-transform never
// are.
type Compress struct {
	Enabled   bool     `yaml:"enabled" default:"true" opt:"shorthand" help:"Whether answers are compressed."`
	Encodings []string `yaml:"encodings" default:"[zstd, gzip]" opt:"single" enum:"zstd|gzip" help:"Codings; of those that a client likes as much the first is used."`
	Types     []string `yaml:"types" default:"[text/*, application/json, application/javascript, application/xml, application/wasm, image/svg+xml, *+json, *+xml]" opt:"single" format:"mediatype" help:"Media types of answers that are compressed; a * stands for anything. Events are never."`
	MinSize   Size     `yaml:"min_size" default:"1KiB" min:"0B" max:"1GiB" help:"Smallest body, where its length is known."`
}

// has reports whether a coding is used.
func (c *Compress) has(encoding string) bool {
	return c != nil && c.Enabled && slices.Contains(c.Encodings, encoding)
}
