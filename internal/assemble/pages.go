//go:build !minimal

package assemble

import "github.com/goodgate/goodgate/proxy"

func parsePages(html, json string) (*proxy.Pages, error) { return proxy.NewPages(html, json) }
