package nginxconf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// load reads a configuration whose http block is body.
func load(t *testing.T, body string) *nginxconf.Config {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "nginx.conf", "user www;\npid /run/x.pid;\nevents { worker_connections 100; }\nhttp {\n"+body+"\n}\n")
	c, err := nginxconf.Load(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	c := load(t, `
  log_format timed '$status '
                   '$request_time';
  access_log /var/log/a.log timed;
  proxy_read_timeout 1m30s;
  proxy_set_header X-A a;
  upstream app {
    server 10.0.0.1:3000 max_fails=3;
    server unix:/run/app.sock backup;
    server app.internal;
    keepalive 16;
    keepalive_timeout 20s;
  }
  server {
    listen 443 ssl;
    server_name example.com;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location ~ ^/x/ { proxy_pass https://other.internal:8443; proxy_read_timeout 5; }
    location = /one { if ($arg_a) { proxy_pass http://10.0.0.9/base/; } }
    location /v { set $h v.internal; proxy_pass http://$h:81/; }
    location /sock { proxy_pass http://unix:/run/s.sock:/uri; }
  }`)
	if c.User != "www" || c.PIDFile != "/run/x.pid" || c.Workers.Arg(0) != "100" || len(c.Servers) != 1 || !c.Servers[0].TLS() {
		t.Errorf("got %+v", c)
	}
	if len(c.Logs) != 1 || c.Logs[0].Format != "$status $request_time" {
		t.Errorf("logs %+v", c.Logs)
	}
	u := c.Upstreams["app"]
	if u == nil || len(u.Servers) != 3 || u.Timeout != 20*time.Second || u.Servers[0].Params["max_fails"] != "3" || u.Servers[1].Addr != "unix:/run/app.sock" || u.Servers[2].Addr != "app.internal:80" {
		t.Fatalf("upstream %+v", u)
	}
	type place struct{ text, scheme, addr, uri string }
	var got []place
	for _, l := range c.Locations {
		got = append(got, place{l.String(), l.Scheme, l.Addr(), l.URI})
	}
	want := []place{
		{"location /", "http", "app:80", ""},
		{"location ~ ^/x/", "https", "other.internal:8443", ""},
		{"location = /one", "http", "10.0.0.9:80", "/base/"},
		{"location /v", "http", "v.internal:81", "/"},
		{"location /sock", "http", "unix:/run/s.sock", "/uri"},
	}
	if len(got) != len(want) {
		t.Fatalf("locations %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("location %d: %v, want %v", i, got[i], want[i])
		}
	}
	first, second := c.Locations[0], c.Locations[1]
	if !first.KeepsConnections(c) || first.Duration("proxy_read_timeout", 0) != 90*time.Second || second.Duration("proxy_read_timeout", 0) != 5*time.Second {
		t.Error("settings are not inherited as nginx does")
	}
	if _, set := first.Header("X-A"); set {
		t.Error("a location with proxy_set_header inherits others")
	}
	if v, _ := second.Header("x-a"); v != "a" {
		t.Errorf("X-A %q, want it inherited", v)
	}
	if !second.Named(c) || first.Named(c) || c.Locations[2].Named(c) {
		t.Error("Named is wrong")
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "nginx.conf", "events {}\nhttp { include sites/*.conf; include gone.conf; }\n")
	if err := os.Mkdir(filepath.Join(dir, "sites"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sites"), "a.conf", "server {\n location / { proxy_pass http://127.0.0.1:1; }\n}\n")
	c, err := nginxconf.Load(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Locations) != 1 || c.Locations[0].Pass.At() != "a.conf:2" {
		t.Errorf("locations %+v", c.Locations)
	}
	if len(c.Problems) != 1 {
		t.Errorf("problems %q, want that of the file that is not there", c.Problems)
	}
}

func TestLoadErrors(t *testing.T) {
	if _, err := nginxconf.Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is no error")
	}
	dir := t.TempDir()
	write(t, dir, "nginx.conf", "http { server {")
	if c, err := nginxconf.Load(filepath.Join(dir, "nginx.conf")); err == nil && len(c.Problems) == 0 {
		t.Error("half a file is no problem")
	}
	write(t, dir, "loop.conf", "include loop.conf;")
	if _, err := nginxconf.Load(filepath.Join(dir, "loop.conf")); err == nil {
		t.Error("a file that includes itself is no error")
	}
}

func TestLint(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		var got []string
		for _, f := range nginxconf.Lint(load(t, body)) {
			got = append(got, f.Code)
			if f.Seen == "" || f.Means == "" || f.Do == "" || f.Directive == "" || f.Where == "" {
				t.Errorf("%s is not complete: %+v", f.Code, f)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("lint of\n%s\ngot %v, want %v", body, got, want)
		}
	}
	location := func(s string) string { return "server { " + s + " }" }
	f(location(`location / { proxy_pass http://10.0.0.1; }`))
	f(location(`location /a/ { proxy_pass http://10.0.0.1/b/; }`))
	f(location(`location /a { proxy_pass http://10.0.0.1/; }`), "trailing_slash")
	f(location(`location /a/ { proxy_pass http://10.0.0.1/b; }`), "trailing_slash")
	f(location(`location / { proxy_pass http://10.0.0.1/b/; }`))
	f(location(`location /a { rewrite ^/a(.*) $1 break; proxy_pass http://10.0.0.1/; }`))
	f(location(`location / { set $u app.internal; proxy_pass http://$u; }`), "resolver_missing")
	f(location(`location / { set $u 10.0.0.1; proxy_pass http://$u; }`))
	f(location(`resolver 10.0.0.53; location / { set $u app.internal; proxy_pass http://$u; }`))
	f(location(`location / { proxy_pass http://10.0.0.1; proxy_next_upstream_timeout 30; }`), "retry_time")
	f(location(`location / { proxy_pass http://10.0.0.1; proxy_next_upstream_timeout 30; proxy_next_upstream error; }`))
	f(location(`location / { proxy_pass http://10.0.0.1; proxy_next_upstream error non_idempotent; }`), "retry_post")
	f(`upstream a { server 10.0.0.1; keepalive 4; } server { location / { proxy_pass http://a; } }`, "keepalive_unused")
	f(`upstream a { server 10.0.0.1 max_fails=2; } server { location / { proxy_pass http://a; } }`, "max_fails_single")
	f(`upstream a { server 10.0.0.1 max_fails=2; server 10.0.0.2; } server { location / { proxy_pass http://a; } }`)
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"60": time.Minute, "1m30s": 90 * time.Second, "500ms": 500 * time.Millisecond, "1h": time.Hour, "1d 2h": 26 * time.Hour} {
		if got, ok := nginxconf.Duration(text); !ok || got != want {
			t.Errorf("Duration(%q) = %v, %v", text, got, ok)
		}
	}
	for text, want := range map[string]int64{"8k": 8192, "1m": 1 << 20, "10": 10, "1G": 1 << 30} {
		if got, ok := nginxconf.Size(text); !ok || got != want {
			t.Errorf("Size(%q) = %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "x", "k", "-1", "s"} {
		if _, ok := nginxconf.Duration(text); ok {
			t.Errorf("Duration(%q) is one", text)
		}
		if _, ok := nginxconf.Size(text); ok {
			t.Errorf("Size(%q) is one", text)
		}
	}
}

func FuzzUnits(f *testing.F) {
	f.Add("1m30s")
	f.Add("8k")
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := nginxconf.Duration(text); ok && d < 0 {
			t.Errorf("Duration(%q) = %v", text, d)
		}
		if n, ok := nginxconf.Size(text); ok && n < 0 {
			t.Errorf("Size(%q) = %d", text, n)
		}
	})
}
