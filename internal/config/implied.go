package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"strings"
)

// service is the URL of a service that goodgate asks: where it is, and what to ask for.
type service struct{ origin, target string }

func parseService(s string) (service, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return service{}, errors.New("expected http://host:port/path or https://host:port/path; for a Unix socket, name a pool instead")
	case u.User != nil:
		return service{}, errors.New("a URL takes no user and password here: set an Authorization header in request_headers")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return service{}, errors.New("a URL takes no fragment here")
	}
	origin, err := upstreamURL(u.Scheme + "://" + u.Host)
	if err != nil {
		return service{}, err
	}
	target, err := requestPath(u.RequestURI())
	return service{origin, target}, err
}

// serviceURL accepts the URL of a service.
func serviceURL(s string) (string, error) {
	_, err := parseService(s)
	return s, err
}

// implyPools adds the pools of services that routes name by URL. They have the defaults
// of goodgate, and a name that no pool in a file can have. Routes with the same service
// and the same TLS settings share one.
func (c *Config) implyPools() {
	made := map[string]Pool{}
	for i := range c.Routes {
		f := c.Routes[i].Access.Forward
		if f == nil || len(f.URL) == 0 {
			continue
		}
		p := f.service()
		if len(p.Upstreams) == 0 {
			continue // reported already
		}
		_, host, _ := strings.Cut(p.Upstreams[0].URL, "://")
		f.Pool = "auth:" + host
		for n := 2; ; n++ {
			if other, taken := made[f.Pool]; !taken || reflect.DeepEqual(other, p) {
				break
			}
			f.Pool = fmt.Sprintf("auth:%s-%d", host, n)
		}
		made[f.Pool] = p
	}
	if c.Pools == nil && len(made) > 0 {
		c.Pools = map[string]Pool{}
	}
	maps.Copy(c.Pools, made)
}

// Implied reports whether another key implies the pool, such as access.forward.url. Then
// its settings are not in the file.
func (p Pool) Implied() bool { return p.implied }

// service returns the pool for the URLs, and sets the path of the requests.
func (f *ForwardAuth) service() Pool {
	p := Pool{implied: true}
	setDefaults(reflect.ValueOf(&p).Elem())
	p.TLS, p.Health.Type = f.TLS, "alive"
	p.Limits.named()
	for _, text := range f.URL {
		s, err := parseService(text)
		if err != nil {
			continue
		}
		var u Upstream
		setDefaults(reflect.ValueOf(&u).Elem())
		u.URL, f.Path = s.origin, s.target
		p.Upstreams = append(p.Upstreams, u)
	}
	return p
}
