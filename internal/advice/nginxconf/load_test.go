package nginxconf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// passes describes a configuration's passes and their places.
func passes(c *nginxconf.Config) string {
	var all []string
	for _, l := range c.Passes {
		host := l.Host
		if u := l.Group(c); u != nil {
			host = u.Servers[0].Addr
		}
		all = append(all, fmt.Sprintf("%s %s %s", l.Pass.At(), l.Scheme, host))
	}
	return strings.Join(all, "; ")
}

// The passes are found in every form of configuration.
func TestForms(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"folder", "nginx/sites", "nginx/snippets", "full"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "whole.conf", "events {}\nhttp { server { location / { proxy_pass http://a:1; } } }")
	write(t, dir, "site", "map $a $b { default x; }\nupstream app { server a:1; }\nserver { location / { proxy_pass http://app; } }")
	write(t, dir, "locations", "proxy_set_header A b;\nlocation / { proxy_pass http://a:1; }\nlocation /b { fastcgi_pass b:2; }")
	write(t, dir, "pass", "proxy_read_timeout 5;\nproxy_pass http://a:1;")
	write(t, dir, "folder/a.conf", "upstream app { server a:1; }")
	write(t, dir, "folder/b.conf", "server { location / { proxy_pass http://app; } }")
	write(t, dir, "folder/c.conf.bak", "server { location / { proxy_pass http://old; } }")
	write(t, dir, "nginx/sites/shop", "server { include snippets/app.conf; }")
	write(t, dir, "nginx/snippets/app.conf", "location / { proxy_pass http://a:1; }")
	write(t, dir, "full/nginx.conf", "events {}\nhttp { include x.inc; }")
	write(t, dir, "full/x.inc", "server { location / { proxy_pass http://a:1; } }")
	write(t, dir, "full/y.conf", "server { location / { proxy_pass http://other; } }")
	write(t, dir, "dump", "nginx: [warn] something\nnginx: configuration file x test is successful\n# configuration file /etc/nginx/nginx.conf:\r\nevents {}\nhttp {\n include sites/*;\n include mime.types;\n}\n"+
		"# configuration file /etc/nginx/sites/shop:\nserver {\n location / { proxy_pass http://a:1; }\n}\n# configuration file of the shop:\n\n# configuration file /etc/nginx/mime.types:\ntypes { text/html html; }\n")
	write(t, dir, "none", "# nothing\nserver { root /srv; }")
	for _, tc := range []struct{ file, want string }{
		{"whole.conf", "whole.conf:2 http a:1"},
		{"site", "site:3 http a:1"},
		{"locations", "locations:2 http a:1; locations:3 fastcgi b:2"},
		{"pass", "pass:2 http a:1"},
		{"folder", "b.conf:1 http a:1"},
		{"nginx/sites/shop", "app.conf:1 http a:1"},
		{"nginx/sites", "app.conf:1 http a:1"},
		{"full", "x.inc:1 http a:1"},
		{"dump", "shop:2 http a:1"},
		{"none", ""},
	} {
		c, err := nginxconf.Load(filepath.Join(dir, tc.file))
		if err != nil {
			t.Errorf("%s: %v", tc.file, err)
			continue
		}
		if got := passes(c); got != tc.want || len(c.Problems) > 0 {
			t.Errorf("%s: passes on %q, problems %q; want %q", tc.file, got, c.Problems, tc.want)
		}
	}
	c, err := nginxconf.Source{File: "-", Stdin: strings.NewReader("server { location / { proxy_pass http://a:1; } }")}.Load()
	if err != nil || passes(c) != "standard input:1 http a:1" {
		t.Errorf("standard input: %v, %v", c, err)
	}
	if _, err := nginxconf.Load(t.TempDir()); err == nil {
		t.Error("an empty folder is no error")
	}
}

// File names and links in a container's configuration are relative to its root.
func TestRoot(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"etc/nginx/sites", "srv", "run"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, root, "etc/nginx/nginx.conf", "error_log logs/error.log;\nevents {}\nhttp { include /etc/nginx/sites/*; include /etc/nginx/gone.conf; }")
	write(t, root, "srv/shop", "server { location / { proxy_pass http://a:1; } }")
	for name, to := range map[string]string{"etc/nginx/sites/shop": "/srv/shop", "etc/nginx/logs": "/../../../run", "etc/loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"/etc/nginx/nginx.conf", filepath.Join(root, "etc/nginx/nginx.conf"), "/etc/nginx"} {
		c, err := nginxconf.Source{File: file, Root: root}.Load()
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got := passes(c); got != "shop:1 http a:1" {
			t.Errorf("%s: passes on %q", file, got)
		}
		if want := filepath.Join(root, "run/error.log"); len(c.ErrorLogs) != 1 || c.ErrorLogs[0] != want {
			t.Errorf("%s: logs %q, want %q", file, c.ErrorLogs, want)
		}
		if len(c.Problems) != 1 || !strings.Contains(c.Problems[0], "gone.conf") {
			t.Errorf("%s: problems %q, want the file that is gone", file, c.Problems)
		}
		if got := c.Path("/etc/loop/x"); !strings.HasPrefix(got, root) {
			t.Errorf("a link to itself leads to %s", got)
		}
	}
}

func TestPasses(t *testing.T) {
	c := load(t, `
  upstream app { server 10.0.0.1:9000; }
  server {
    location /a { fastcgi_pass unix:/run/php.sock; }
    location /b { fastcgi_pass app; }
    location /c { uwsgi_pass uwsgi://10.0.0.2:3031; }
    location /d { uwsgi_pass suwsgi://10.0.0.2:3032; }
    location /e { scgi_pass 10.0.0.3:4000; }
    location /f { grpc_pass grpcs://10.0.0.4; }
    location /g { grpc_pass 10.0.0.4:50051; }
    location /h { fastcgi_pass $backend; }
    location /i { set $backend 10.0.0.5:9000; fastcgi_pass $backend; }
  }`)
	want := "nginx.conf:8 fastcgi unix:/run/php.sock; nginx.conf:9 fastcgi 10.0.0.1:9000; nginx.conf:10 uwsgi 10.0.0.2:3031; nginx.conf:11 suwsgi 10.0.0.2:3032; " +
		"nginx.conf:12 scgi 10.0.0.3:4000; nginx.conf:13 grpcs 10.0.0.4; nginx.conf:14 grpc 10.0.0.4:50051; nginx.conf:15  ; nginx.conf:16 fastcgi 10.0.0.5:9000"
	if got := passes(c); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(c.Locations) > 0 {
		t.Errorf("%d locations with a proxy_pass", len(c.Locations))
	}
}

func TestWords(t *testing.T) {
	c := load(t, `
  proxy_set_header Host $host;
  upstream app { server 10.0.0.1:80 weight=2 max_fails=3 fail_timeout=5s; }
  server {
    listen 80; listen [::]:8080; listen unix:/run/n.sock;
    location /a/ { proxy_pass http://unix:/run/a.sock:/b/; proxy_busy_buffers_size 8k; }
    location /c { proxy_set_header X y; fastcgi_pass app; }
  }`)
	unix, fast := c.Passes[0], c.Passes[1]
	for _, tc := range []struct{ got, want string }{
		{unix.To("proxy_pass", unix.Written(), unix.Host), "proxy_pass http://unix:/run/a.sock:/b/;"},
		{unix.To("proxy_pass", "https", "10.0.0.1:443"), "proxy_pass https://10.0.0.1:443/b/;"},
		{unix.To("grpc_pass", "grpc", unix.Host), "grpc_pass grpc://unix:/run/a.sock;"},
		{fast.To("fastcgi_pass", fast.Written(), "unix:/run/b.sock"), "fastcgi_pass unix:/run/b.sock;"},
		{unix.WithHeader("A", "b"), "proxy_set_header A b;   # beside the others, at nginx.conf:6"},
		{fast.WithHeader("A", "b"), "proxy_set_header A b;"},
		{unix.Buffers(), "proxy_buffer_size %[1]sk;\nproxy_buffers 8 %[1]sk;\nproxy_busy_buffers_size %[1]sk;"},
		{fast.Buffers(), "fastcgi_buffer_size %[1]sk;\nfastcgi_buffers 8 %[1]sk;"},
		{c.Upstreams["app"].Servers[0].With("10.0.0.2:80"), "server 10.0.0.2:80 weight=2 max_fails=3 fail_timeout=5s;"},
		{c.Upstreams["app"].Servers[0].With("10.0.0.2:80", "max_fails", "fail_timeout"), "server 10.0.0.2:80 weight=2;"},
		{strings.Join(c.Ports(), " "), "80 8080 /run/n.sock"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}
