//go:build !minimal

package assemble

import "github.com/goodgate/goodgate/proxy"

// encoding returns a compression.
func encoding(name string) *proxy.Encoding {
	if name == "zstd" {
		return proxy.Zstd()
	}
	return proxy.Gzip()
}
