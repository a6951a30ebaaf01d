//go:build minimal

package assemble

import "github.com/goodgate/goodgate/proxy"

// parsePages returns the built-in pages: a configuration with templates is refused in the
// minimal edition.
func parsePages(_, _ string) (*proxy.Pages, error) { return nil, nil }
