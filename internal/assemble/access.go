package assemble

import (
	"fmt"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// addAccess adds to r the conditions of access. An error is about a file, or about
// settings that exclude each other.
func addAccess(r *proxy.Route, c config.Route, pools map[string]*proxy.Pool, reread func(string, error)) (err error) {
	a := c.Access
	if r.Access.Networks, err = proxy.NewNetworks(a.Allow, a.Deny); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	if a.Basic != nil {
		if r.Access.Basic, err = basicAuth(*a.Basic, reread); err != nil {
			return fmt.Errorf("access.basic.file: %w", err)
		}
	}
	if f := a.Forward; f != nil {
		r.Access.Forward = &proxy.ForwardAuth{
			Pool: pools[f.Pool], Path: f.Path, Host: f.Host, Headers: headerEdits(f.Headers), Copy: f.Copy, Return: f.Return, Timeout: f.Timeout, Cache: f.Cache,
		}
	}
	r.Access.Any = a.Satisfy == "any"
	if c.CORS != nil {
		r.CORS = new(proxy.CORS(*c.CORS))
	}
	if c.CrossOrigin.Mode == "deny" {
		if r.CrossOrigin, err = proxy.NewCrossOrigin(c.CrossOrigin.Trusted...); err != nil {
			return fmt.Errorf("cross_origin.trusted: %w", err)
		}
	}
	r.SecureHeaders = secureHeaders(c.SecureHeaders)
	return nil
}

func basicAuth(c config.BasicAuth, reread func(string, error)) (*proxy.BasicAuth, error) {
	var log func(error)
	if reread != nil {
		log = func(err error) { reread(c.File, err) }
	}
	users, err := proxy.OpenUsers(c.File, log)
	if err != nil {
		return nil, err
	}
	b := &proxy.BasicAuth{Users: users, Realm: c.Realm, UserHeader: c.UserHeader, Hide: c.Hide}
	if c.Failures > 0 {
		b.Failures = proxy.NewRate(proxy.Rate{Name: "failures", On: proxy.RateByClient(64), PerSecond: float64(c.Failures) / c.Per.Seconds(), Burst: c.Failures})
	}
	return b, nil
}

// secureHeaders returns nil if responses get none.
func secureHeaders(c *config.SecureHeaders) *proxy.SecureHeaders {
	if c == nil || !c.Enabled {
		return nil
	}
	return &proxy.SecureHeaders{
		HSTS: c.HSTS, ContentType: c.ContentType, Frame: c.Frame, Referrer: c.Referrer,
		ContentPolicy: c.ContentPolicy, Permissions: c.Permissions, Opener: c.Opener, Resource: c.Resource,
	}
}
