package convert_test

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/convert"
)

func TestFormats(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := strings.Join(convert.Formats([]byte(text)), " "); got != want {
			t.Errorf("%s\nis taken for %q, want %q", text, got, want)
		}
	}
	f("events {} http { server { listen 80; location / { proxy_pass http://a; } } }", "nginx")
	f("# configuration file /etc/nginx/nginx.conf:\nuser www;\nhttp {\n}\n", "nginx")
	f("server {\n    server_name a.example\n        b.example\n        c.example;\n}", "nginx")
	f("upstream a {\n  server 10.0.0.1:80;\n}\n", "nginx")
	f("proxy_set_header Host $host;\nproxy_read_timeout 90s; # long\n", "nginx")
	f("map $http_upgrade $c {\n  default upgrade;\n  '' close;\n}", "nginx")
	f("log_format main '$remote_addr - '\n  '$request ' \"x\"\n  '$status';\nlimit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;", "nginx")
	f("http {\n  init_by_lua_block {\n    local a = 1\n    local b = 2\n    local c = 3\n  }\n  server { listen 80; }\n}", "nginx")
	f("global\n  maxconn 10\nfrontend a\n  bind :80\n", "haproxy")
	f("# x\r\ndefaults\r\n  mode http\r\nlisten a\r\n  bind :80\r\n  server a 1.2.3.4:80\r\n", "haproxy")
	f("frontend a\n  bind :80\n  http-response set-header X \"a; b\"\n", "haproxy")
	f("example.com\nreverse_proxy a:1\n", "caddyfile")
	f("example.com, www.example.com {\n\trespond ok\n}", "caddyfile")
	f(":80\nfile_server\n", "caddyfile")
	f("localhost:8080 {\n}\n", "caddyfile")
	f("{\n\tadmin off\n}\n", "caddyfile")
	f("(snippet) {\n\theader X \"a; b;\"\n}\n", "caddyfile")
	f("{$HOST} {\n\treverse_proxy a:1\n}\n", "caddyfile")
	f("a.example {\n\theader Content-Security-Policy \"\n\t\tdefault-src 'self';\n\t\timg-src *;\n\t\"\n}\n", "caddyfile")
	f("a.example {\n\trespond <<HTML\n<style>\na { b: c; }\nd { e: f; }\n</style>\n\tHTML 200\n}\n", "caddyfile")
	f("a.example {\n\trespond `\na;\nb;\n`\n}\n", "caddyfile")
	f(`{"apps": {"http": {}}}`, "caddy-json")
	f(`{"admin": {"disabled": true}}`, "caddy-json")
	f("http:\n  routers: {}\n", "traefik")
	f("tls:\n  options: {}\n", "traefik")
	f("[http.routers.a]\nrule = \"Host(`a`)\"\n", "traefik")
	f(`{"http": {"routers": {}}}`, "traefik")
	f("a.example {\na b\nc d;\n}", "nginx caddyfile")
	f("", "")
	f("# nothing\n", "")
	f("hello world\n", "")
	f("2026/11/29 10:00:00 [error] 7#7: *1 connect() failed\n", "")
	f("listeners: [{address: ':80'}]\n", "")
	f("[section]\nkey = \"value\"\n", "")
	f("{}", "")
	f("\x00\xff", "")
}
