package assemble

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/tracing"
	"github.com/goodgate/goodgate/internal/webhook"
)

// Admin returns the access options of the operator's API. The caller adds its content.
func Admin(c config.Admin) admin.Options {
	network, _ := c.Network()
	o := admin.Options{Hosts: c.Hosts, Local: network == "unix"}
	if c.Token != "" {
		o.Tokens = append(o.Tokens, admin.Token{Name: admin.MainToken, Text: string(c.Token)})
	}
	for _, t := range c.Tokens {
		o.Tokens = append(o.Tokens, admin.Token{Name: t.Name, Text: string(t.Token)})
	}
	return o
}

// Tracing returns the options for sending traces. version is the program's; log receives
// errors of sending. Both may be zero. old is as for [NewTrust]. An error is about a file
// that tls names.
func Tracing(c config.Tracing, version string, log *slog.Logger, old *Trust) (tracing.Options, *Trust, error) {
	trust, err := NewTrust(c.TLS, old)
	if err != nil {
		return tracing.Options{}, nil, fmt.Errorf("tracing.%w", err)
	}
	return tracing.Options{
		Endpoint: otlpURL(c.Endpoint, "/v1/traces"), Headers: c.Headers, TLS: trust.Config, Sample: float64(c.Sample),
		Service: c.Service, Version: version, Logger: log,
	}, trust, nil
}

// otlpURL returns the URL of an OTLP endpoint. One without a path gets the standard path
// of its signal (OTLP specification, "OTLP/HTTP Request").
func otlpURL(endpoint, path string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return endpoint
	}
	u.Path = path
	return u.String()
}

// Push returns the options for sending metrics. version and log are as for Tracing, old
// as for [NewTrust]. An error is about a file that tls names.
func Push(c *config.Config, version string, log *slog.Logger, old *Trust) (metrics.PushOptions, *Trust, error) {
	m := c.Metrics
	trust, err := NewTrust(m.TLS, old)
	if err != nil {
		return metrics.PushOptions{}, nil, fmt.Errorf("metrics.%w", err)
	}
	return metrics.PushOptions{
		Endpoint: otlpURL(m.Endpoint, "/v1/metrics"), Interval: m.Interval, Headers: m.Headers, TLS: trust.Config, Gzip: m.Compression == "gzip",
		Service: cmp.Or(m.Service, c.Tracing.Service), Version: version, Instance: m.Instance, Logger: log,
	}, trust, nil
}

// Webhook returns the options for sending events, which carry the name of this machine.
// log receives errors of sending; it may be nil.
func Webhook(c config.Webhook, log *slog.Logger) webhook.Options {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return webhook.Options{URL: c.URL, Secret: string(c.Secret), Timeout: c.Timeout, Instance: host, Logger: log, Pause: time.Second}
}
