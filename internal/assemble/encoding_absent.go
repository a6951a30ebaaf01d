//go:build minimal

package assemble

import "github.com/goodgate/goodgate/proxy"

// encoding returns a way to compress, nil for what the minimal edition does not have.
func encoding(name string) *proxy.Encoding {
	if name == "zstd" {
		return nil
	}
	return proxy.Gzip()
}
