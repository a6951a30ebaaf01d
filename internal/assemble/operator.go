package assemble

import (
	"log/slog"
	"os"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/tracing"
	"github.com/goodgate/goodgate/internal/webhook"
)

// Admin returns who may ask the operator's API. It leaves open what is told there.
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

// Tracing returns where traces go. version is the program's; log is told when
// sending fails. Both may be zero.
func Tracing(c config.Tracing, version string, log *slog.Logger) tracing.Options {
	return tracing.Options{Endpoint: c.Endpoint, Headers: c.Headers, Sample: float64(c.Sample), Service: c.Service, Version: version, Logger: log}
}

// Webhook returns where events go. They bear the name of this machine. log is told
// when sending fails; it may be nil.
func Webhook(c config.Webhook, log *slog.Logger) webhook.Options {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return webhook.Options{URL: c.URL, Secret: string(c.Secret), Timeout: c.Timeout, Instance: host, Logger: log, Pause: time.Second}
}
