package config

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// lacking has a configuration with everything that the minimal edition lacks.
const lacking = `
listeners:
  - {address: ":8443", http3: {enabled: true}, tls: {acme: {hosts: [a.example.com], email: a@example.com, accept_terms: true}}}
routes:
  - {pool: app, access: {basic: {file: /etc/users}}, compress: {encodings: [zstd, gzip]}}
pools:
  app: {upstreams: [{docker: {label: app}}]}
tracing: {endpoint: "http://127.0.0.1:4318"}
metrics: {endpoint: "http://127.0.0.1:4318"}
log: {output: "otlp+http://127.0.0.1", outputs: [{output: "otlp+https://collector.example"}]}
fleet: {addresses: ["127.0.0.1:6379"], secret: "0123456789abcdef0123456789abcdef"}
`

// TestEditionHas: the minimal edition refuses unsupported settings, and docs/install.md
// names each key.
func TestEditionHas(t *testing.T) {
	c, _, err := Parse("x", []byte(lacking), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"listeners[0].http3.enabled": "listeners.http3", "listeners[0].tls.acme": "listeners.tls.acme", "routes[0].access.basic": "routes.access.basic",
		"routes[0].compress.encodings": "routes.compress.encodings", "pools.app.upstreams[0].docker": "pools.upstreams", "tracing.endpoint": "tracing.endpoint", "fleet": "fleet",
		"metrics.endpoint": "metrics.endpoint", "log.output": "log.output", "log.outputs[0].output": "log.output",
	}
	v := &validator{config: c, at: c.from.at}
	v.editionHas(false)
	if len(v.errs) > 0 {
		t.Errorf("the full edition refuses %v", v.errs)
	}
	v.editionHas(true)
	var got []string
	for _, e := range v.errs {
		got = append(got, e.Path)
		if !strings.Contains(e.Error(), "the minimal edition of goodgate") {
			t.Errorf("got %v", e)
		}
	}
	slices.Sort(got)
	if list := slices.Sorted(maps.Keys(want)); !slices.Equal(got, list) {
		t.Errorf("the minimal edition refuses %v, want %v", got, list)
	}
	for _, key := range want {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/install.md does not name %s", key)
		}
	}
}
