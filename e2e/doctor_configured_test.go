package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// configured are more setups with one fault: other protocols than HTTP, other forms of
// a configuration, and evidence from several sources.
var configured = []setup{
	{"php-fpm is not running", func(p *plant) diagnosis {
		p.nginx(passed("include fastcgi_params; fastcgi_pass unix:$DIR/php.sock"))
		p.get()
		d := p.doctorNginx()
		wantIn(p.T, "where", d.Findings[0].Where, "nginx.conf:")
		return d
	}, "socket_missing", "start the application"},

	{"php-fpm has a new socket", func(p *plant) diagnosis {
		p.fastCGI(p.listenUnix("php8.3.sock"))
		p.nginx(passed("include fastcgi_params; fastcgi_pass unix:$DIR/php7.4.sock"))
		p.get()
		return p.doctorNginx()
	}, "socket_missing", "fastcgi_pass unix:"},

	{"nothing listens for FastCGI", func(p *plant) diagnosis {
		p.nginx("upstream php { server " + p.address() + "; }\n" + passed("include fastcgi_params; fastcgi_pass php"))
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start the application"},

	{"wrong permission of FastCGI's socket", func(p *plant) diagnosis {
		asRoot(p)
		p.fastCGI(p.listenUnix("php.sock"))
		if err := os.Chmod(p.path("php.sock"), 0o600); err != nil {
			p.Fatal(err)
		}
		p.nginxWith("user nobody nogroup;", "", passed("include fastcgi_params; fastcgi_pass unix:$DIR/php.sock"))
		p.get()
		return p.doctorNginx()
	}, "socket_permission", "chgrp nobody"},

	{"FastCGI to an application of HTTP", func(p *plant) diagnosis {
		p.nginx(passed("fastcgi_read_timeout 300ms; fastcgi_pass " + p.app(fine)))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "http_only", "proxy_pass http://127."},

	{"HTTP to php-fpm", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.fastCGI(p.listen())))
		p.get()
		return p.doctorNginx()
	}, "fastcgi_only", "fastcgi_pass 127."},

	{"uwsgi to an application of HTTP", func(p *plant) diagnosis {
		p.nginx(passed("uwsgi_read_timeout 300ms; uwsgi_pass " + p.app(fine)))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "http_only", "proxy_pass http://127."},

	{"HTTP to uWSGI's own port", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.uwsgi()))
		p.get()
		return p.doctorNginx()
	}, "uwsgi_only", "uwsgi_pass 127."},

	{"nothing listens for SCGI", func(p *plant) diagnosis {
		p.nginx(passed("scgi_pass " + p.address()))
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start the application"},

	{"gRPC to an application of HTTP/1.1", func(p *plant) diagnosis {
		p.nginx(passed("grpc_pass grpc://" + p.app(fine)))
		p.get()
		return p.doctorNginx()
	}, "http_only", "proxy_pass http://127."},

	{"HTTP/2 only, goodgate", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], health: {type: tcp}}", "http://"+p.http2Only()))
	}, "http2_only", "pools.app.protocol: h2c"},

	{"FastCGI to something else", func(p *plant) diagnosis {
		p.nginx(passed("include fastcgi_params; fastcgi_pass " + p.raw(func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") })))
		p.get()
		return p.doctorNginx()
	}, "not_fastcgi", "correct the address"},

	{"localhost, and the application on ::1 only", func(p *plant) diagnosis {
		ln, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			lack(p.T, "no IPv6 here: %v", err)
		}
		_, port, _ := net.SplitHostPort(p.appOn(ln, fine))
		p.nginx(proxied("http://localhost:" + port))
		p.ask(6, "GET", "/", "")
		d := p.doctorNginx()
		if n := len(d.Findings); n != 1 {
			p.Errorf("%d findings, want one: what the log says and what the look shows have one cause\n%s", n, d.text)
		}
		return d
	}, "other_address", "proxy_pass http://[::1]:"},

	{"a name with two addresses, one of them dead", func(p *plant) diagnosis {
		hosts := writeFile(p.T, p.dir, "hosts", "127.0.0.1 localhost\n"+p.host+" app.two\n127.80.251.2 app.two\n")
		p.namespace("-m", "mount --bind "+hosts+" /etc/hosts")
		_, port, _ := net.SplitHostPort(p.app(fine))
		p.nginx(proxied("http://app.two:" + port))
		p.ask(6, "GET", "/", "")
		d := p.doctorNginx()
		if n := len(d.Findings); n != 1 || !strings.Contains(d.Findings[0].Seen, "1 of 2 addresses") {
			p.Errorf("%d findings, want one of 1 of 2 addresses\n%s", n, d.text)
		}
		return d
	}, "other_address", "127.80."},

	{"a name of a compose file", func(p *plant) diagnosis {
		p.configure("", "", "upstream relay { server relay-of-compose:3000; }\n"+proxied("http://relay"))
		d := p.doctorNginx()
		if d.Findings[0].Directive != "" {
			p.Errorf("to write %q, which nginx would not use", d.Findings[0].Directive)
		}
		return d
	}, "dns_not_found", "run the doctor where the proxy runs"},

	{"one stopped member of a group", func(p *plant) diagnosis {
		other, stopped := neighbours(p)
		p.appOn(other, fine)
		p.nginx(group("keepalive_timeout 4s;", p.app(fine), stopped))
		p.ask(6, "GET", "/", "")
		d := p.doctorNginx()
		if f := d.Findings[0]; f.Directive != "" || f.Confidence != "certain" {
			p.Errorf("to write %q (%s), want it to be certain that the application has stopped\n%s", f.Directive, f.Confidence, d.text)
		}
		return d
	}, "nothing_listens", "start it again"},

	{"stopped after earlier answers", func(p *plant) diagnosis {
		other, stopped := neighbours(p)
		p.appOn(other, fine)
		ln, err := net.Listen("tcp", stopped)
		if err != nil {
			p.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(fine)}
		go s.Serve(ln)
		p.nginx(proxied("http://" + stopped))
		p.get()
		s.Close()
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start it again"},

	{"nginx itself listens on the similar port", func(p *plant) diagnosis {
		own, dead := neighbours(p)
		own.Close()
		p.nginx(strings.Replace(proxied("http://"+dead), "listen $LISTEN;", "listen $LISTEN; listen "+own.Addr().String()+";", 1))
		p.get()
		d := p.doctorNginx()
		if d.Findings[0].Directive != "" {
			p.Errorf("to write %q, which makes a loop", d.Findings[0].Directive)
		}
		return d
	}, "nothing_listens", "start the application"},

	{"a single site, wrong port", func(p *plant) diagnosis {
		right, wrong := neighbours(p)
		p.appOn(right, fine)
		writeFile(p.T, p.dir, "shop", "upstream shop {\n server "+wrong+" weight=2;\n}\nserver {\n listen 127.0.0.1:8;\n location / { proxy_pass http://shop; }\n}\n")
		d := p.doctor("--nginx", p.path("shop"))
		wantIn(p.T, "where", d.Findings[0].Where, "shop:2")
		return d
	}, "wrong_port", " weight=2;"},

	{"the output of nginx -T in a file", func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "dump", "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {\n include conf.d/*.conf;\n include gone.conf;\n}\n\n"+
			"# configuration file /etc/nginx/conf.d/a.conf:\nserver {\n location / {\n  proxy_pass http://"+p.address()+";\n }\n}\n")
		d := p.doctor("--nginx", p.path("dump"))
		wantIn(p.T, "where", d.Findings[0].Where, "a.conf:3")
		wantIn(p.T, "what is not known", strings.Join(d.Unknown, "\n"), "gone.conf is not in the dump")
		return d
	}, "nothing_listens", "start the application"},

	{"a folder with an include that is missing", func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "a.conf", "include gone/a.conf;\nserver { location / { proxy_pass http://"+p.address()+"; } }\n")
		d := p.doctor("--nginx", p.dir)
		wantIn(p.T, "what is not known", strings.Join(d.Unknown, "\n"), "gone/a.conf")
		return d
	}, "nothing_listens", "start the application"},

	{"a container's files, socket missing", func(p *plant) diagnosis {
		d := p.doctor("--nginx", "/etc/nginx/nginx.conf", "--root", p.container(proxied("http://unix:/run/app.sock:/")))
		wantIn(p.T, "what is not known", strings.Join(d.Unknown, "\n"), "docker logs NAME")
		return d
	}, "socket_missing", "start the application"},

	{"logs that are not files", func(p *plant) diagnosis {
		file := writeFile(p.T, p.dir, "web.conf", "error_log stderr;\naccess_log /dev/stdout;\nserver { location / { proxy_pass http://"+p.address()+"; } }\n")
		d := p.doctor("--nginx", file)
		wantIn(p.T, "what is not known", strings.Join(d.Unknown, "\n"), "/dev/stdout is not a file; docker logs NAME")
		wantIn(p.T, "what is not known", strings.Join(d.Unknown, "\n"), "it goes to stderr (web.conf:1)")
		return d
	}, "nothing_listens", "start the application"},

	{"header too big, and buffers that are set", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "s="+strings.Repeat("x", 7000))
		})
		p.nginx(proxied("http://"+to, "proxy_busy_buffers_size 8k;", "proxy_temp_file_write_size 8k;"))
		p.get()
		return p.doctorNginx()
	}, "header_size", "proxy_busy_buffers_size 16k;"},

	{"no files and connections left", func(p *plant) diagnosis {
		p.configure("worker_rlimit_nofile 512;", "worker_connections 1024;", proxied("http://"+p.app(fine)))
		writeFile(p.T, p.dir, "error.log", strings.Repeat("2026/03/01 12:00:01 [alert] 1#1: *7 socket() failed (24: Too many open files) while connecting to upstream, client: 1.1.1.1\n", 4)+
			strings.Repeat("2026/03/01 12:00:02 [crit] 1#1: accept4() failed (24: Too many open files)\n", 3))
		d := p.doctorNginx()
		if strings.Count(d.text, "worker_rlimit_nofile ") != strings.Count(d.text, "worker_rlimit_nofile 16384;") || len(d.Findings) != 1 {
			p.Errorf("values contradict one another, or one cause is told twice:\n%s", d.text)
		}
		return d
	}, "fd_limit", "worker_rlimit_nofile 16384;"},

	{"TLS to a port that waits for a line", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) { // a server in Python reads until the end of a line
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		})
		p.nginx(proxied("https://" + to))
		p.get()
		return p.doctorNginx()
	}, "tls_to_plain_port", "proxy_pass http://"},

	{"a resolver that is closed", func(p *plant) diagnosis {
		p.nginx(proxied("http://$app:3000", "resolver "+p.address()+" ipv6=off;", "resolver_timeout 1s;", "set $app app.internal;"))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "dns_failure", "name server"},

	{"header too big, from the log alone", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				w.Header().Set("Set-Cookie", "s="+strings.Repeat("x", 40000))
			}
		})
		p.nginx(proxied("http://"+to, "proxy_buffer_size 32k;", "proxy_buffers 4 32k;"))
		p.ask(2, "POST", "/login", "x")
		return p.doctorNginx()
	}, "header_too_large", "proxy_buffer_size 64k;"},

	{"a slash too few, at the root", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/app/") {
				w.WriteHeader(http.StatusNotFound)
			}
		})
		p.probe = "/items"
		p.nginx(proxied("http://" + to + "/app"))
		if got := p.ask(1, "GET", "/items", ""); got != 404 {
			p.Errorf("status %d, want 404", got)
		}
		return p.doctorNginx()
	}, "trailing_slash", "/app/;"},

	{"gunicorn ends a worker that takes too long", func(p *plant) diagnosis {
		to := p.address()
		p.gunicorn("1", to)
		p.nginx(proxied("http://"+to, "proxy_next_upstream off;"))
		p.together(2, "/slow")
		return p.doctorNginx()
	}, "worker_timeout", "gunicorn --timeout "},

	{"gunicorn's socket is root's", func(p *plant) diagnosis {
		asRoot(p)
		p.gunicorn("30", "unix:"+p.path("app.sock"), "--umask", "0117")
		p.nginxWith("user nobody nogroup;", "", "upstream app { server unix:$DIR/app.sock fail_timeout=0; }\n"+proxied("http://app"))
		p.get()
		return p.doctorNginx()
	}, "socket_permission", "chgrp nobody"},

	{"Node with TLS, nginx without", func(p *plant) diagnosis {
		p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		const program = `const [,host,port,file]=process.argv;const pem=require("fs").readFileSync(file);
require("https").createServer({key:pem,cert:pem},(q,r)=>r.end("fine")).listen(+port,host)`
		address := p.address()
		host, port, _ := net.SplitHostPort(address)
		startProcess(p.T, "node", nil, need(p.T, "node"), "-e", program, host, port, p.path("app.pem")).ready("tcp", address)
		p.nginx(proxied("http://" + address))
		p.get()
		return p.doctorNginx()
	}, "plain_to_tls_port", "proxy_pass https://"},

	{"Node's parser of headers refuses long ones", func(p *plant) diagnosis {
		const program = `const [,host,port]=process.argv;require("http").createServer({maxHeaderSize:4096},(q,r)=>r.end("fine")).listen(+port,host)`
		address := p.address()
		host, port, _ := net.SplitHostPort(address)
		startProcess(p.T, "node", nil, need(p.T, "node"), "-e", program, host, port).ready("tcp", address)
		p.nginx(proxied("http://" + address))
		p.get()
		return p.doctorNginx()
	}, "request_header_limit", "--max-http-header-size"},

	{"a POST is sent twice", func(p *plant) diagnosis {
		p.nginx("upstream app { server " + p.app(fine) + "; server " + p.app(fine) + "; }\n" + proxied("http://app", "proxy_next_upstream error http_502 non_idempotent;"))
		p.get()
		return p.doctorNginx()
	}, "retry_post", "proxy_next_upstream error http_502;"},

	{"two causes at once", func(p *plant) diagnosis {
		p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		p.probe = "/tls/"
		p.nginx("server {\n listen $LISTEN;\n location /tls/ { proxy_pass https://" + p.app(fine) + "/tls/; }\n location / { proxy_pass http://" + p.address() + "; }\n}")
		p.get()
		p.ask(5, "GET", "/tls/", "")
		d := p.doctorNginx()
		wantIn(p.T, "all findings", d.text, "nothing_listens")
		return d
	}, "tls_to_plain_port", "proxy_pass http://"},
}

// passed is an http block with one location that passes requests on by another protocol
// than HTTP.
func passed(directive string) string {
	return "server {\n listen $LISTEN;\n location / {\n  " + directive + ";\n }\n}"
}

func (p *plant) listenUnix(name string) net.Listener {
	p.Helper()
	ln, err := net.Listen("unix", p.path(name))
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { ln.Close() })
	return ln
}

// http2Only runs an application that speaks HTTP/2 without TLS, and nothing else.
func (p *plant) http2Only() string {
	s := &http.Server{Handler: http.HandlerFunc(fine), Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	ln := p.listen()
	go s.Serve(ln)
	p.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

// container writes files as an image of nginx has them, and returns their folder. Links in
// it are absolute, and the log is not a regular file.
func (p *plant) container(body string) string {
	p.Helper()
	root := p.path("root")
	for _, dir := range []string{"etc/nginx/conf.d", "run", "var/log/nginx", "srv"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			p.Fatal(err)
		}
	}
	writeFile(p.T, root, "etc/nginx/nginx.conf", "user nginx;\nerror_log /var/log/nginx/error.log;\nevents {}\nhttp {\n access_log /var/log/nginx/access.log;\n include /etc/nginx/conf.d/*.conf;\n}\n")
	writeFile(p.T, root, "srv/site.conf", strings.ReplaceAll(body, "listen $LISTEN;", "listen 80;"))
	writeFile(p.T, root, "etc/passwd", "root:x:0:0::/root:/bin/sh\nnginx:x:101:101::/:/bin/false\n")
	writeFile(p.T, root, "etc/group", "nginx:x:101:\n")
	for name, to := range map[string]string{"etc/nginx/conf.d/site.conf": "/srv/site.conf", "var/log/nginx/access.log": "/dev/stdout", "var/log/nginx/error.log": "/dev/stderr"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			p.Fatal(err)
		}
	}
	return root
}
