//go:build minimal

package assemble

import "github.com/goodgate/goodgate/proxy"

// encoding returns a compression, nil if the minimal edition does not have it.
func encoding(name string) *proxy.Encoding {
	if name == "zstd" {
		return nil
	}
	return proxy.Gzip()
}
