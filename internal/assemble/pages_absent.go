//go:build minimal

package assemble

import "github.com/goodgate/goodgate/proxy"

// parsePages returns the built-in pages: a configuration with templates is refused in the
// minimal edition.
func parsePages(_, _ string) (*proxy.Pages, error) { return nil, nil }

// encoding returns a way to compress, nil for what the minimal edition does not have.
func encoding(name string) *proxy.Encoding {
	if name == "zstd" {
		return nil
	}
	return proxy.Gzip()
}
