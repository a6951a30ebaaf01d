//go:build !minimal

package config

// words describe a format in the reference: the kind of text, and an example.
type words struct{ kind, example string }

func formatWords(format string) words {
	return map[string]words{
		"acmehost":    {"host name or wildcard", "www.example.com"},
		"cookiename":  {"cookie name or *", "session"},
		"corsheader":  {"header name or *", "X-Requested-With"},
		"corsmethod":  {"method or *", "PUT"},
		"dnsname":     {"host name or address", "app.example.com"},
		"email":       {"mail address", "ops@example.com"},
		"endpoint":    {"http or https URL", "http://127.0.0.1:4318/v1/traces"},
		"fieldname":   {"field name", "user_agent"},
		"hashkey":     {"part of the request", "header:X-Tenant"},
		"exactorigin": {"origin", "https://app.example.com"},
		"header":      {"header name", "X-Tenant"},
		"headervalue": {"text", "value"},
		"hostpattern": {"host name or pattern", "*.example.com"},
		"hostport":    {"host:port", "10.0.0.53:53"},
		"kubename":    {"Kubernetes name", "production"},
		"kubeport":    {"port name or number", "http"},
		"listener":    {"listener name or address", ":8443"},
		"listurl":     {"http or https URL", "http://127.0.0.1:9000/upstreams"},
		"listen":      {"address to listen at", "127.0.0.1:9900"},
		"mediatype":   {"media type or pattern", "text/*"},
		"method":      {"method", "POST"},
		"name":        {"name", "shop"},
		"nameserver":  {"address or host:port", "10.0.0.53"},
		"origin":      {"origin or pattern", "https://*.example.com"},
		"output":      {"`stderr`, `stdout`, a file or a server", "./goodgate.log"},
		"parameter":   {"parameter name", "page"},
		"path":        {"path", "/v1/*"},
		"pin":         {"pin", "sha256/LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="},
		"prefix":      {"path prefix", "/v1"},
		"ratekey":     {"part of the request", "header:X-Api-Key"},
		"redirect":    {"URL or path", "https://{host}{path}"},
		"rewrite":     {"path, or path and query", "/new/$1"},
		"regexp":      {"regular expression", "^/v[0-9]+/"},
		"requestpath": {"path with query", "/healthz"},
		"rewritten":   {"text", "http://app.internal/"},
		"secretname":  {"name of a header, cookie or parameter", "X-Api-Key-Id"},
		"sendhost":    {"`keep`, `upstream` or a host name", "app.internal"},
		"splitkey":    {"part of the request", "header:X-User"},
		"time":        {"time (RFC 3339)", "2030-01-31T18:00:00Z"},
		"token":       {"name", "session"},
		"url":         {"URL", "http://127.0.0.1:3001"},
		"via":         {"name", "goodgate"},
		"zone":        {"zone", "eu-west-1a"},
	}[format]
}
