//go:build !minimal

package main

import "testing"

func TestFormatOf(t *testing.T) {
	for file, want := range map[string]string{
		"/etc/caddy/Caddyfile": "caddyfile", "Caddyfile.prod": "caddyfile", "sites.caddyfile": "caddyfile", "/x/autosave.JSON": "caddy-json",
		"traefik.yml": "traefik", "dynamic.yaml": "traefik", "dynamic.toml": "traefik", "haproxy.cfg": "haproxy", "/etc/nginx/nginx.conf": "nginx", "nginx": "nginx",
	} {
		if got := formatOf(file); got != want {
			t.Errorf("%s is taken for %s, want %s", file, got, want)
		}
	}
}
