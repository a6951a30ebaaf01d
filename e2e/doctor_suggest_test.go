package e2e_test

import (
	"strings"
	"testing"
)

// said are nginx's messages about an upstream.
var said = []string{
	"connect() failed (111: Connection refused) while connecting to upstream",
	"connect() failed (113: No route to host) while connecting to upstream",
	"connect() to 10.0.0.1:80 failed (13: Permission denied) while connecting to upstream",
	"connect() to 10.0.0.1:80 failed (99: Cannot assign requested address) while connecting to upstream",
	"connect() to unix:/run/app.sock failed (2: No such file or directory) while connecting to upstream",
	"connect() to unix:/run/app.sock failed (13: Permission denied) while connecting to upstream",
	"connect() to unix:/run/app.sock failed (11: Resource temporarily unavailable) while connecting to upstream",
	"upstream timed out (110: Connection timed out) while connecting to upstream",
	"upstream timed out (110: Connection timed out) while reading response header from upstream",
	"upstream timed out (110: Connection timed out) while reading upstream",
	"upstream timed out (110: Connection timed out) while sending request to upstream",
	"upstream timed out (110: Connection timed out) while SSL handshaking to upstream",
	"upstream prematurely closed connection while reading response header from upstream",
	"upstream prematurely closed connection while reading upstream",
	"recv() failed (104: Connection reset by peer) while reading response header from upstream",
	"writev() failed (32: Broken pipe) while sending request to upstream",
	"upstream sent too big header while reading response header from upstream",
	"upstream sent no valid HTTP/1.0 header while reading response header from upstream",
	"SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) while SSL handshaking to upstream",
	"upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to upstream",
	`upstream SSL certificate does not match "app.internal" while SSL handshaking to upstream`,
	"no live upstreams while connecting to upstream",
	"app.internal could not be resolved (3: Host not found)",
	"app.internal could not be resolved (110: Operation timed out)",
	"no resolver defined to resolve app.internal",
	"1024 worker_connections are not enough while connecting to upstream",
	"socket() failed (24: Too many open files) while connecting to upstream",
	"client intended to send too large body: 10485761 bytes",
	"an upstream response is buffered to a temporary file /var/lib/nginx/proxy/1/00/0000000001 while reading upstream",
	"limiting requests, excess: 5.600 by zone \"one\"",
	"rewrite or internal redirection cycle while processing \"/index.html\"",
	"bind() to 0.0.0.0:80 failed (98: Address already in use)",
}

// TestDoctorSuggests: for every message in the error log and every kind of upstream,
// nginx accepts the lines that the doctor suggests, in the right configuration.
func TestDoctorSuggests(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	for name, c := range map[string]struct{ http, upstream string }{
		"proxy_pass":                {proxied("http://$TO", "proxy_set_header X-A b;"), "http://$TO/"},
		"proxy_pass with TLS":       {proxied("https://$TO", "proxy_buffer_size 32k;", "proxy_buffers 4 32k;", "proxy_busy_buffers_size 32k;"), "https://$TO/"},
		"proxy_pass, a path":        {strings.Replace(proxied("http://$TO/b/"), "location /", "location /a/", 1), "http://$TO/b/"},
		"proxy_pass, an expression": {strings.Replace(proxied("http://$TO"), "location /", `location ~ \.do$`, 1), "http://$TO/x.do"},
		"proxy_pass, a socket":      {proxied("http://unix:$DIR/app.sock:/x/"), "http://unix:$DIR/app.sock:/x/"},
		"proxy_pass, a group":       {group("keepalive_timeout 4s;", "$TO weight=2 max_fails=2 fail_timeout=3s", "$TO backup") + "", "http://$TO/"},
		"the group":                 {group("keepalive_timeout 4s;", "$TO max_fails=2", "$TO backup"), "http://app/"},
		"proxy_pass, a variable":    {proxied("http://$up", "set $up $TO;"), "http://$TO/"},
		"fastcgi_pass":              {passed("fastcgi_pass $TO"), "fastcgi://$TO"},
		"fastcgi_pass, a socket":    {passed("fastcgi_busy_buffers_size 8k; fastcgi_pass unix:$DIR/php.sock"), "fastcgi://unix:$DIR/php.sock:"},
		"uwsgi_pass":                {passed("uwsgi_pass suwsgi://$TO"), "suwsgi://$TO"},
		"scgi_pass":                 {passed("scgi_pass $TO"), "scgi://$TO"},
		"grpc_pass":                 {passed("grpc_pass grpcs://$TO"), "grpcs://$TO"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, message := range said { // one by one, so that none counts as another's consequence
				p := newPlant(t)
				fill := strings.NewReplacer("$TO", p.address(), "$DIR", p.dir)
				p.configure("", "", fill.Replace(c.http))
				line := "2026/03/01 12:00:01 [error] 1#1: *7 " + message + ", client: 192.0.2.1, server: , request: \"GET / HTTP/1.1\", upstream: \"" + fill.Replace(c.upstream) + "\", host: \"x\"\n"
				writeFile(t, p.dir, "error.log", strings.Repeat(line, 3))
				p.try(p.doctorNginx())
			}
		})
	}
}
