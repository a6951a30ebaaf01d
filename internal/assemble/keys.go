package assemble

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/proxy"
)

// This file has the keys by which requests are counted and balanced.

func rateKey(r config.Rate) proxy.RateKey {
	if len(r.On) != 1 || !vars.Literal(r.On[0]) {
		return proxy.RateBy(r.IPv6Prefix, config.KeyTexts(r.On)...)
	}
	switch kind, name, _ := strings.Cut(r.On[0], ":"); kind {
	case "header":
		return proxy.RateByHeader(name)
	case "cookie":
		return proxy.RateByCookie(name)
	case "all":
		return nil
	}
	return proxy.RateByClient(r.IPv6Prefix)
}

// sharedKey returns the same as rateKey, but with keys that are equal on all instances.
func sharedKey(r config.Rate, hash proxy.RateHash) proxy.RateKey {
	if len(r.On) != 1 || !vars.Literal(r.On[0]) {
		return hash.By(r.IPv6Prefix, config.KeyTexts(r.On)...)
	}
	switch kind, name, _ := strings.Cut(r.On[0], ":"); kind {
	case "header":
		return hash.Header(name)
	case "cookie":
		return hash.Cookie(name)
	case "all":
		return nil
	}
	return hash.Client(r.IPv6Prefix)
}

func hashOn(on ...string) proxy.HashOn {
	if len(on) != 1 || !vars.Literal(on[0]) {
		return proxy.HashOf(config.KeyTexts(on)...)
	}
	switch kind, name, _ := strings.Cut(on[0], ":"); kind {
	case "header":
		return proxy.HashHeader(name)
	case "cookie":
		return proxy.HashCookie(name)
	case "query":
		return proxy.HashQuery(name)
	case "uri":
		return proxy.HashURI
	case "path":
		return proxy.HashPath
	}
	return proxy.HashClientIP
}

// decisive returns the headers that distinguish requests, besides those in routes'
// conditions. They reach upstreams in one spelling.
func decisive(c *config.Config) (names []string) {
	rates := func(l config.Limits) {
		for _, r := range l.Rates {
			names = slices.Concat(names, config.KeyHeaders(r.On))
		}
	}
	for _, l := range c.Listeners {
		rates(l.Limits)
	}
	for _, r := range c.Routes {
		rates(r.Limits)
		if r.Split != nil {
			names = slices.Concat(names, config.KeyHeaders(r.Split.By))
		}
	}
	for _, p := range c.Pools {
		rates(p.Limits)
	}
	return names
}
