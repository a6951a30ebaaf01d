package config

import (
	"strings"
	"testing"
)

// TestOtherPrograms: the file of another proxy gives one error, and not one per line.
func TestOtherPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ program, text string }{
		{"nginx", "events {}\nhttp {\n  server {\n    listen 80;\n    location / { proxy_pass http://127.0.0.1:3000; }\n  }\n}\n"},
		{"nginx", "server {\n    listen 80;\n    server_name example.com;\n}\n"},
		{"nginx", "upstream app {\n    server 127.0.0.1:3000;\n}\n"},
		{"nginx", "# a site\nserver_name example.com;\n"},
		{"nginx", "user www-data;\nworker_processes auto;\n"},
		{"nginx", "server { listen 80; location / { proxy_pass http://a; } }\n"},
		{"HAProxy", "global\n    maxconn 4096\ndefaults\n    mode http\nfrontend web\n    bind :80\n    default_backend app\nbackend app\n    server a 127.0.0.1:3000 check\n"},
		{"HAProxy", "backend app\n\n    # one\n    balance roundrobin\n    server a 127.0.0.1:3000\n"},
		{"Caddy", "example.com {\n\treverse_proxy 127.0.0.1:3000\n}\n"},
		{"Caddy", "example.com\n\nreverse_proxy 127.0.0.1:3000\n"},
		{"Caddy", ":80 {\n\thandle /api/* {\n\t\treverse_proxy a:1 b:2 {\n\t\t\tlb_policy first\n\t\t}\n\t}\n}\n"},
	} {
		_, _, err := Parse("x", []byte(c.text), nil)
		want := "x:1:1: this is a configuration of " + c.program + ": convert it with goodgate convert FILE"
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot %v\nwant %s", c.text, err, want)
		}
	}
	for _, text := range []string{minimal, "server: {listen: 80}\n", "a: {\n  b: 1\n}\n", "backend:\n  app: x\n", "handle: x\n", "- a\n- b\n"} {
		_, _, err := Parse("x", []byte(text), nil)
		if err != nil && strings.Contains(err.Error(), "this is a configuration of") {
			t.Errorf("%s\ngot %v", text, err)
		}
	}
}
