package config

import "slices"

// Compress selects the responses to compress. goodgate never compresses responses that are compressed already, event
// streams, ranges, and responses with no-transform.
type Compress struct {
	Enabled   bool     `yaml:"enabled" default:"true" opt:"shorthand" help:"Whether goodgate compresses answers."`
	Encodings []string `yaml:"encodings" default:"[zstd, gzip]" opt:"single" enum:"zstd|gzip" help:"Encodings; the first wins among those that a client prefers equally."`
	Types     []string `yaml:"types" default:"[text/*, application/json, application/javascript, application/xml, application/wasm, image/svg+xml, *+json, *+xml]" opt:"single" format:"mediatype" help:"Media types to compress; a * stands for anything. goodgate never compresses event streams."`
	MinSize   Size     `yaml:"min_size" default:"1KiB" min:"0B" max:"1GiB" help:"Smallest body to compress, if its length is known."`
}

// has reports whether a coding is used.
func (c *Compress) has(encoding string) bool {
	return c != nil && c.Enabled && slices.Contains(c.Encodings, encoding)
}
