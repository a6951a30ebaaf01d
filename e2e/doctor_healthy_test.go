package e2e_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// healthy are setups without faults.
var healthy = map[string]func(*plant) diagnosis{
	"nginx": func(p *plant) diagnosis {
		p.nginx(group("keepalive_timeout 4s;", p.node(5*time.Second), p.app(fine)))
		p.get()
		return p.doctorNginx("--wait", "1s")
	},
	"nginx, TLS and a socket": func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour)))
		p.socket("app.sock", 0o666)
		p.nginx(strings.Replace(verified(to, "app.internal"), "location / {", "location /static/ { proxy_pass http://unix:$DIR/app.sock:/static/; }\n location / {", 1))
		p.get()
		p.ask(3, "GET", "/static/x", "")
		return p.doctorNginx()
	},
	"goodgate": func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q, %q], health: {path: /}}", "http://"+p.node(5*time.Second), "http://"+p.app(fine)))
	},
	"goodgate, HTTP/2 in the clear": func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], protocol: h2c, health: {type: tcp}}", "http://"+p.http2Only()))
	},
	"HAProxy": func(p *plant) diagnosis {
		return p.haproxy("option httpchk GET /", "server one "+p.app(fine)+" check")
	},
	"FastCGI": func(p *plant) diagnosis {
		p.nginx(passed("include fastcgi_params; fastcgi_pass " + p.fastCGI(p.listen())))
		p.get()
		return p.doctorNginx()
	},
	"FastCGI, a socket": func(p *plant) diagnosis {
		p.fastCGI(p.listenUnix("php.sock"))
		p.nginx("upstream php { server unix:$DIR/php.sock; }\n" + passed("include fastcgi_params; fastcgi_pass php"))
		p.get()
		return p.doctorNginx()
	},
	"gRPC": func(p *plant) diagnosis {
		p.nginx(passed("grpc_pass grpc://" + p.http2Only()))
		p.get()
		return p.doctorNginx()
	},
	"uwsgi": func(p *plant) diagnosis {
		p.nginx(passed("uwsgi_pass " + p.uwsgi()))
		return p.doctorNginx()
	},
	"TLS without verification": func(p *plant) diagnosis {
		p.nginx(proxied("https://" + p.secure(p.certificate("app.pem", "other.internal", time.Now().Add(-time.Hour)))))
		p.get()
		return p.doctorNginx()
	},
	"a single site": func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "shop", "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"+
			"server {\n listen 127.0.0.1:8;\n location / { proxy_pass http://"+p.app(fine)+"; }\n}\n")
		return p.doctor("--nginx", p.path("shop"))
	},
	"separate locations": func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "app.inc", "location /app/ {\n proxy_pass http://"+p.app(fine)+";\n}\n")
		return p.doctor("--nginx", p.path("app.inc"))
	},
	"a folder": func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "a.conf", "upstream a { server "+p.app(fine)+"; }\n")
		writeFile(p.T, p.dir, "b.conf", "server { location / { proxy_pass http://a; } }\n")
		writeFile(p.T, p.dir, "b.conf.bak", "server { location / { proxy_pass http://127.0.0.1:1; } }\n")
		return p.doctor("--nginx", p.dir)
	},
	"the output of nginx -T": func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "app.conf", "upstream a { server "+p.app(fine)+"; }\n")
		file := p.configure("", "", "include app.conf;\n"+proxied("http://a"))
		out, err := exec.CommandContext(p.Context(), need(p.T, "nginx"), "-T", "-c", file, "-e", "stderr").CombinedOutput()
		if err != nil {
			p.Fatalf("nginx -T: %v\n%s", err, out)
		}
		p.stdin = string(out)
		if err := os.Remove(p.path("app.conf")); err != nil {
			p.Fatal(err)
		}
		return p.doctor("--nginx", "-")
	},
	"a container's files": func(p *plant) diagnosis {
		root := p.container(proxied("http://unix:/run/app.sock"))
		p.socket("root/run/app.sock", 0o666)
		return p.doctor("--nginx", "/etc/nginx/nginx.conf", "--root", root)
	},
	"a container's files, far down": func(p *plant) diagnosis {
		root, deep := p.container(proxied("http://unix:/run/app.sock")), p.path(strings.Repeat("overlay2-of-the-container/", 5))
		p.socket("root/run/app.sock", 0o666)
		if err := os.MkdirAll(deep, 0o755); err != nil {
			p.Fatal(err)
		}
		if err := os.Rename(root, filepath.Join(deep, "root")); err != nil {
			p.Fatal(err)
		}
		return p.doctor("--nginx", "/etc/nginx/nginx.conf", "--root", filepath.Join(deep, "root"))
	},
	"gunicorn, a socket": func(p *plant) diagnosis {
		p.gunicorn("30", "unix:"+p.path("app.sock"))
		p.nginx("upstream app { server unix:$DIR/app.sock fail_timeout=0; }\n" + proxied("http://app", "proxy_set_header Host $host;"))
		p.get()
		return p.doctorNginx()
	},
	"Python's own server": func(p *plant) diagnosis {
		address := p.address()
		host, port, _ := net.SplitHostPort(address)
		app := startProcess(p.T, "python", nil, need(p.T, "python3"), "-m", "http.server", "-b", host, "-d", p.dir, port)
		app.ready("tcp", address)
		p.nginx(proxied("http://" + address))
		p.get()
		return p.doctorNginx()
	},
	"a down server and a backup server": func(p *plant) diagnosis {
		p.nginx("upstream app { server " + p.app(fine) + " weight=2; server " + p.address() + " down; server " + p.app(fine) + " backup; }\n" + proxied("http://app"))
		p.get()
		return p.doctorNginx()
	},
	"an application's own error": func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.app(http.NotFound)))
		p.get()
		return p.doctorNginx()
	},
}

// TestDoctorHealthy: without faults there are no findings, and the doctor lists what it
// has examined.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	all := maps.Clone(healthy)
	maps.Copy(all, wellToo)
	for name, build := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := build(newPlant(t))
			if len(d.Findings) > 0 || d.code != 0 {
				t.Errorf("exit code %d, findings in a healthy setup:\n%s", d.code, d.text)
			}
			if len(d.Looked) == 0 {
				t.Errorf("the doctor does not say what it looked at:\n%s", d.text)
			}
		})
	}
}
