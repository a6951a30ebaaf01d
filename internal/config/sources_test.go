package config

import (
	"strings"
	"testing"
)

// TestSources reads each kind of source, short and long, and checks its name.
func TestSources(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		`{http: "http://a:1/list?key=s3cr3t"}`:                                 "http: http://a:1/list?(hidden)",
		`{consul: web}`:                                                        "consul: web",
		`{consul: {service: web, tags: [a, b], datacenter: d1}}`:               "consul: web tags a b datacenter d1",
		`{nomad: {service: web, address: "http://10.0.0.1:4646", region: eu}}`: "nomad: web at http://10.0.0.1:4646 region eu",
		`{etcd: /app/}`:     "etcd: /app/",
		`{kubernetes: web}`: "kubernetes: web",
		`{kubernetes: {service: web, namespace: shop, port: 8080, kubeconfig: /a/config, context: prod}, scheme: https}`: "kubernetes: web namespace shop port 8080 by /a/config context prod",
		`{docker: app=web, zone: eu-1a, weight: 3}`:                                                        "docker: app=web",
		`{docker: {label: app, address: "unix:/run/podman/podman.sock", reach: published}, scheme: https}`: "docker: app at unix:/run/podman/podman.sock",
	} {
		c, _, err := Parse("a.yaml", []byte("listeners: [\":1\"]\npools: {app: {upstreams: ["+entry+"]}}"), nil)
		if err != nil {
			t.Errorf("%s: %v", entry, err)
			continue
		}
		if got := c.Pools["app"].Upstreams[0].Source(); got != want {
			t.Errorf("%s: got %q, want %q", entry, got, want)
		}
	}
}

func TestSourceMistakes(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		`{http: "ftp://a"}`: "http.url: bad value",
		`{http: {url: "http://a", token: x, token_file: y}}`:               "token_file: excludes token",
		`{http: {url: "http://a", token: x, headers: {Authorization: y}}}`: "has Authorization",
		`{http: {url: "http://a", tls: {ca: ca.pem}}}`:                     "needs an https address",
		`{http: {url: "https://a", tls: {cert: c.pem}}}`:                   "cert and key go together: set both, or neither",
		`{http: {url: "http://a", interval: 10ms}}`:                        "must be from 1s to 1h",
		`{http: "http://a", scheme: https}`:                                "applies to srv, docker, consul, nomad and kubernetes only",
		`{docker: {}}`:                                                     "label is missing",
		`{docker: {label: a, port: 70000}}`:                                "must be from 1 to 65535",
		`{docker: {label: a, reach: host}}`:                                "must be one of container, published",
		`{consul: {address: "http://127.0.0.1:8500"}}`:                     "service is missing",
		`{consul: {service: a, address: "127.0.0.1:8500"}}`:                "write http://127.0.0.1:8500",
		`{consul: web, nomad: web}`:                                        "consul and nomad exclude each other",
		`{consul: web}, {consul: {service: web}}`:                          "the same upstream as upstreams[0]",
		`{kubernetes: {namespace: shop}}`:                                  "service is missing",
		`{kubernetes: Web}`:                                                "lower-case letters",
		`{kubernetes: shop/web}`:                                           "lower-case letters",
		`{kubernetes: {service: web, port: 0}}`:                            "a port is",
		`{kubernetes: {service: web, port: 70000}}`:                        "a port is",
		`{kubernetes: {service: web, port: "80/tcp"}}`:                     "a port is",
		`{kubernetes: {service: web, context: a}}`:                         "needs kubeconfig",
		`{kubernetes: {service: web, wait: 1s}}`:                           "must be from 10s to 30m",
		`{kubernetes: web}, {kubernetes: {service: web}}`:                  "the same upstream as upstreams[0]",
		`{etcd: {prefix: /a, username: x}}`:                                "go together",
		`{etcd: {prefix: /a, endpoints: [x]}}`:                             "endpoints[0]: found",
		`{etcd: /a, zone: "a b"}`:                                          "a zone has at most",
		`{consul: {service: a, wait: 1h}}`:                                 "must be from 1s to 10m",
	} {
		_, _, err := Parse("a.yaml", []byte("listeners: [\":1\"]\npools: {app: {upstreams: ["+entry+"]}}"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", entry, err, want)
		}
	}
}
