//go:build !minimal

package assemble

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// maxResponseHeader is the limit of internal/wire/http1 on a response header, in bytes.
const maxResponseHeader = 256 << 10

// Doctor returns the upstreams of a configuration, for an examination of each. It looks
// up entries that stand for a list (srv, file), and returns in failed the errors of those
// without a result. err names the pool with unusable TLS files.
func Doctor(ctx context.Context, c *config.Config) (targets []doctor.Target, failed []error, err error) {
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		p := c.Pools[name]
		model, err := doctorTarget(name, p)
		if err != nil {
			return nil, nil, fmt.Errorf("pools.%s: %w", name, err)
		}
		if from := c.ChecksFrom(name); from != name {
			model.Label += ", checked by pool " + from
		}
		for i, u := range p.Upstreams {
			model.Words = doctorWords(name, i, u)
			found, err := doctorEntry(ctx, u, p.DNS)
			if err != nil {
				failed = append(failed, fmt.Errorf("pools.%s: %s: %w", name, strings.TrimPrefix(u.Source(), "url: "), err))
			}
			for _, d := range found {
				targets = append(targets, withAddress(model, d))
			}
		}
	}
	return targets, failed, nil
}

// doctorEntry returns the targets of an entry. It leaves names unresolved, because the
// examination includes their lookup.
func doctorEntry(ctx context.Context, u config.Upstream, dns config.DNS) ([]discovery.Target, error) {
	if u.URL == "" {
		return LookUp(ctx, u, dns)
	}
	t, _, err := discovery.ParseURL(u.URL)
	return []discovery.Target{t}, err
}

func withAddress(model doctor.Target, d discovery.Target) doctor.Target {
	t := model
	t.Addr = d.Addr
	if !d.TLS {
		t.TLS = nil
	} else if t.TLS.ServerName == "" && d.Name != "" {
		t.TLS = t.TLS.Clone()
		t.TLS.ServerName = d.Name
	}
	if d.Name != "" {
		_, port, _ := strings.Cut(d.Addr[strings.LastIndex(d.Addr, ":"):], ":")
		t.Host = d.Name + ":" + port
	}
	return t
}

// doctorTarget returns a pool's way of using its upstreams.
func doctorTarget(name string, c config.Pool) (doctor.Target, error) {
	t, err := NewTrust(c.TLS, nil)
	if err != nil {
		return doctor.Target{}, err
	}
	return doctor.Target{
		Label:     "pool " + name,
		Group:     "pool " + name,
		Protocol:  map[string]doctor.Protocol{"h2": doctor.HTTP2, "h2c": doctor.HTTP2}[c.Protocol],
		TLS:       t.Config,
		Preface:   proxyProtocol(c.ProxyProtocol).Local(),
		Insecure:  c.TLS.Insecure,
		TLS12:     true,
		Resolver:  c.DNS.Resolver,
		Family:    family(c.DNS),
		Pair:      c.DNS.Family == "auto",
		Dial:      c.Timeouts.Dial,
		Response:  c.Timeouts.ResponseHeader,
		Keepalive: c.Timeouts.Keepalive,
		Learns:    true,
		MaxHeader: maxResponseHeader,
		Health:    doctorHealth(c.Health),
	}, nil
}

func doctorHealth(c config.Health) *doctor.Health {
	if c.Type != "http" {
		return nil
	}
	var words []string
	for _, s := range c.Expect.Status {
		words = append(words, s.String())
	}
	return &doctor.Health{
		Method: c.Method, Path: c.Path, Host: c.Host, Header: c.Headers,
		Passes: c.Expect.Status.Contains, Status: strings.Join(words, ", "), Timeout: c.Timeout,
	}
}

// doctorWords returns the keys of a pool and of its upstream i.
func doctorWords(pool string, i int, u config.Upstream) doctor.Words {
	key := func(name string) string { return "pools." + pool + "." + name + ": " }
	upstream := func(url string) string {
		if u.URL == "" { // the list is not in the configuration
			return ""
		}
		entry := "upstreams[" + strconv.Itoa(i) + "]"
		if u.Weight > 1 || u.Tier > 0 || u.MaxInFlight > 0 { // the entry has other keys
			entry += ".url"
		}
		return key(entry) + strconv.Quote(url)
	}
	scheme, _, _ := strings.Cut(u.URL, "://")
	if strings.HasPrefix(scheme, "unix:") {
		scheme = "http"
	}
	return doctor.Words{
		Address:    upstream(scheme + "://%s"),
		HTTP:       upstream("http://%s"),
		HTTPS:      upstream("https://%s"),
		Dial:       key("timeouts.dial") + "%s",
		Response:   key("timeouts.response_header") + "%s",
		ServerName: key("tls.server_name") + "%s",
		CA:         key("tls.ca") + "%s",
		Client:     key("tls.cert") + "/etc/ssl/upstream-client.pem\n" + key("tls.key") + "/etc/ssl/upstream-client.key",
		PROXY:      key("proxy_protocol") + "v1",
		HealthPath: key("health.path") + "%s",
		HTTP2:      key("protocol") + "h2c",
		HTTP2TLS:   key("protocol") + "h2",
		Resolver:   key("dns.resolver") + "%s:53",
		OneFamily:  key("dns.family") + "ipv4",
	}
}
