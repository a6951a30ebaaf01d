package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// setup is a proxy with one fault.
type setup struct {
	name  string
	build func(*plant) diagnosis
	code  string // of the first finding
	fix   string // part of its directive, or of what to do
}

// setups are proxies with one fault each. The doctor must report it first, with the
// text to write.
var setups = []setup{
	{"firewall drop", func(p *plant) diagnosis {
		// Packets to 10.9.0.2 go to a network without that address, and are lost as
		// behind a firewall.
		p.namespace("-n", `ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.9.0.1/24 dev v0 &&
			ip link set v0 up && ip link set v1 up && ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v0`)
		p.nginx(proxied("http://10.9.0.2:3000", "proxy_connect_timeout 1s;"))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "filtered", "allow TCP port 3000"},

	{"no route", func(p *plant) diagnosis {
		p.namespace("-n", "ip link set lo up")
		p.nginx(proxied("http://10.9.0.2:3000"))
		p.get()
		return p.doctorNginx()
	}, "unroutable", "bring the network"},

	{"nothing listens", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.address()))
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start the application"},

	{"wrong port", func(p *plant) diagnosis {
		right, wrong := neighbours(p)
		p.appOn(right, fine)
		p.nginx(proxied("http://" + wrong))
		p.get()
		d := p.doctorNginx()
		wantIn(p.T, "the directive", d.Findings[0].Directive, "proxy_pass http://"+right.Addr().String())
		return d
	}, "wrong_port", "proxy_pass"},

	{"wrong port, goodgate", func(p *plant) diagnosis {
		right, wrong := neighbours(p)
		p.appOn(right, fine)
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q]}", "http://"+wrong))
	}, "wrong_port", "pools.app.upstreams[0]: \"http://"},

	{"listens on another address", func(p *plant) diagnosis {
		address := p.app(fine)
		_, port, _ := net.SplitHostPort(address)
		p.nginx(proxied("http://127.80.250.250:" + port))
		p.get()
		return p.doctorNginx()
	}, "other_address", "proxy_pass http://127.80."},

	{"wrong permission of the socket", func(p *plant) diagnosis {
		asRoot(p)
		p.socket("app.sock", 0o600)
		p.nginxWith("user nobody nogroup;", "", proxied("http://unix:$DIR/app.sock"))
		p.get()
		return p.doctorNginx()
	}, "socket_permission", "chgrp nobody"},

	{"wrong permission of the socket, goodgate", func(p *plant) diagnosis {
		asRoot(p)
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q]}", "unix:"+p.socket("app.sock", 0o640)), "--user", "nobody")
	}, "socket_permission", "chmod 0660"},

	{"missing socket", func(p *plant) diagnosis {
		p.socket("application.sock", 0o666)
		p.nginx(proxied("http://unix:$DIR/app.sock"))
		p.get()
		return p.doctorNginx()
	}, "socket_missing", "unix:"},

	{"stale socket", func(p *plant) diagnosis {
		ln, err := net.Listen("unix", p.path("app.sock"))
		if err != nil {
			p.Fatal(err)
		}
		ln.(*net.UnixListener).SetUnlinkOnClose(false)
		ln.Close()
		p.nginx(proxied("http://unix:$DIR/app.sock"))
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start the application"},

	{"expired certificate", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(-48*time.Hour)))
		p.nginx(verified(to, "app.internal"))
		p.get()
		return p.doctorNginx()
	}, "certificate_expired", "renew"},

	{"expired certificate, goodgate", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(-48*time.Hour)))
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], tls: {server_name: app.internal}}", "https://"+to))
	}, "certificate_expired", "renew"},

	{"certificate for another name", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "other.internal", time.Now().Add(1000*time.Hour)))
		p.nginx(verified(to, "app.internal"))
		p.get()
		return p.doctorNginx()
	}, "certificate_name", "proxy_ssl_name other.internal;"},

	{"self-signed certificate", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour)))
		p.certificate("trusted.pem", "someone.else", time.Now().Add(1000*time.Hour))
		p.nginx(proxied("https://"+to, "proxy_ssl_verify on;", "proxy_ssl_name app.internal;", "proxy_ssl_trusted_certificate $DIR/trusted.pem;"))
		p.get()
		return p.doctorNginx()
	}, "certificate_self_signed", "proxy_ssl_trusted_certificate"},

	{"TLS to a port without it", func(p *plant) diagnosis {
		to := p.app(fine)
		p.nginx(proxied("https://" + to))
		p.get()
		return p.doctorNginx()
	}, "tls_to_plain_port", "proxy_pass http://"},

	{"no TLS to a port with it", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour)))
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "plain_to_tls_port", "proxy_pass https://"},

	{"HTTP/2 only", func(p *plant) diagnosis {
		s := &http.Server{Handler: http.HandlerFunc(fine), Protocols: new(http.Protocols)}
		s.Protocols.SetUnencryptedHTTP2(true)
		ln := p.listen()
		go s.Serve(ln)
		p.Cleanup(func() { s.Close() })
		p.nginx(proxied("http://" + ln.Addr().String()))
		p.get()
		return p.doctorNginx()
	}, "http2_only", "grpc_pass"},

	{"not HTTP at all", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") })
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "not_http", "correct the port"},

	{"Node keeps connections for 5 s, nginx for 60 s", func(p *plant) diagnosis {
		p.nginx(group("", p.node(5*time.Second)))
		p.get()
		return p.doctorNginx()
	}, "keepalive_race", "keepalive_timeout 4s;"},

	{"Node keeps connections for 200 ms", func(p *plant) diagnosis {
		p.nginx(group("", p.node(200*time.Millisecond)))
		p.get()
		return p.doctorNginx("--wait", "3s")
	}, "keepalive_race", "keepalive_timeout "},

	{"overload: the accept queue is full", func(p *plant) diagnosis {
		to := p.overloaded()
		p.nginx(proxied("http://"+to, "proxy_connect_timeout 1s;"))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "backlog_full", "backlog of the application"},

	{"crash loop", func(p *plant) diagnosis {
		ln := p.listen()
		to := ln.Addr().String()
		p.nginx(proxied("http://"+to, "proxy_next_upstream off;"))
		for range 3 {
			crashing := ln
			serveRaw(crashing, func(net.Conn) { crashing.Close() })
			p.get()
			var err error
			if ln, err = net.Listen("tcp", to); err != nil {
				p.Fatal(err)
			}
		}
		p.appOn(ln, fine)
		return p.doctorNginx()
	}, "crash_loop", "Restart=always"},

	{"header too big", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "s="+strings.Repeat("x", 7000))
		})
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "header_size", "proxy_buffer_size 16k;"},

	{"slow query", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/report" {
				pause(r, 1500*time.Millisecond)
			}
		})
		p.probe = "/report"
		p.nginx(proxied("http://"+to, "proxy_read_timeout 1s;"))
		p.ask(1, "GET", "/report?token=secret", "")
		return p.doctorNginx()
	}, "slow_answer", "proxy_read_timeout "},

	{"slow query, goodgate", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) { pause(r, 1500*time.Millisecond) })
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], timeouts: {response_header: 1s}}", "http://"+to))
	}, "slow_answer", "pools.app.timeouts.response_header: "},

	{"a worker's own timeout", func(p *plant) diagnosis {
		to := p.app(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/report" { // as gunicorn ends a worker that takes too long
				pause(r, time.Second)
				panic(http.ErrAbortHandler)
			}
		})
		p.nginx(proxied("http://"+to, "proxy_next_upstream off;"))
		p.together(4, "/report")
		return p.doctorNginx()
	}, "worker_timeout", "gunicorn --timeout "},

	{"the name is gone", func(p *plant) diagnosis {
		ns := startNameServer(p.T, "")
		p.nginx(proxied("http://$app:3000", "resolver "+ns.address+" ipv6=off;", "set $app app.internal;"))
		p.get()
		return p.doctorNginx()
	}, "dns_not_found", "resolver "},

	{"the name server is silent", func(p *plant) diagnosis {
		silent, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			p.Fatal(err)
		}
		p.Cleanup(func() { silent.Close() })
		p.nginx(proxied("http://$app:3000", "resolver "+silent.LocalAddr().String()+" ipv6=off;", "resolver_timeout 1s;", "set $app app.internal;"))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "dns_timeout", "resolver "},

	{"the name has a new address", func(p *plant) diagnosis {
		hosts := writeFile(p.T, p.dir, "hosts", "127.0.0.1 localhost\n127.80.251.1 app.moved\n")
		p.namespace("-m", "mount --bind "+hosts+" /etc/hosts")
		_, port, _ := net.SplitHostPort(p.app(fine))
		p.nginx(proxied("http://app.moved:" + port))
		p.get()
		if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"+p.host+" app.moved\n"), 0o644); err != nil {
			p.Fatal(err)
		}
		return p.doctorNginx()
	}, "dns_stale", "set $upstream app.moved;"},

	{"no resolver for a variable", func(p *plant) diagnosis {
		p.nginx(proxied("http://$app:3000", "set $app app.internal;"))
		p.get()
		return p.doctorNginx()
	}, "resolver_missing", "resolver "},

	{"no open files left", func(p *plant) diagnosis {
		to := p.app(func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Second) })
		p.nginxWith("worker_rlimit_nofile 16;", "worker_connections 16;", proxied("http://"+to))
		p.together(20, "/")
		return p.doctorNginx()
	}, "fd_limit", "worker_rlimit_nofile 16384;"},

	{"no worker connections left", func(p *plant) diagnosis {
		to := p.app(func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Second) })
		p.nginxWith("", "worker_connections 8;", proxied("http://"+to))
		p.together(20, "/")
		return p.doctorNginx()
	}, "worker_connections", "worker_connections 4096;"},

	{"every server ejected", func(p *plant) diagnosis {
		p.nginx(group("", p.address()+" max_fails=1 fail_timeout=60s", p.address()+" max_fails=1 fail_timeout=60s"))
		p.ask(6, "GET", "/", "")
		d := p.doctorNginx()
		wantIn(p.T, "all findings", d.text, "no_live_upstreams")
		return d
	}, "nothing_listens", "start the application"},

	{"max_fails with one server", func(p *plant) diagnosis {
		p.nginx(group("keepalive_timeout 4s;", p.app(fine)+" max_fails=3 fail_timeout=30s"))
		p.get()
		return p.doctorNginx()
	}, "max_fails_single", "server "},

	{"no time for a second try", func(p *plant) diagnosis {
		p.nginx(group("keepalive_timeout 4s;\n", p.app(fine), p.app(fine)) + "proxy_next_upstream_timeout 10s;")
		p.get()
		return p.doctorNginx()
	}, "retry_time", "proxy_next_upstream_timeout 125s;"},

	{"connections are not kept", func(p *plant) diagnosis {
		p.nginx("upstream app { server " + p.app(fine) + "; keepalive 8; }\n" + proxied("http://app"))
		p.get()
		return p.doctorNginx()
	}, "keepalive_unused", "proxy_http_version 1.1;"},

	{"slash at the end", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "//") {
				w.WriteHeader(http.StatusNotFound)
			}
		})
		p.probe = "/api/items"
		p.nginx("server {\n listen $LISTEN;\n location /api { proxy_pass http://" + to + "/; }\n}")
		if got := p.ask(1, "GET", "/api/items", ""); got != 404 {
			p.Errorf("status %d, want 404", got)
		}
		return p.doctorNginx()
	}, "trailing_slash", "location /api/ {"},

	{"redirects to https without end", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Forwarded-Proto") != "https" {
				http.Redirect(w, r, "https://example.com"+r.URL.Path, http.StatusMovedPermanently)
			}
		})
		p.certificate("front.pem", "example.com", time.Now().Add(1000*time.Hour))
		p.tls = true
		p.nginx("server {\n listen $LISTEN ssl;\n ssl_certificate $DIR/front.pem;\n ssl_certificate_key $DIR/front.pem;\n server_name example.com;\n" +
			" location / { proxy_pass http://" + to + "; proxy_set_header Host $host; }\n}")
		if got := p.ask(1, "GET", "/", ""); got != 301 {
			p.Errorf("status %d, want 301", got)
		}
		return p.doctorNginx()
	}, "redirect_loop", "proxy_set_header X-Forwarded-Proto $scheme;"},

	{"body too large", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.app(fine)))
		p.ask(1, "POST", "/upload", strings.Repeat("x", 3<<20))
		return p.doctorNginx()
	}, "body_too_large", "client_max_body_size 4m;"},

	{"responses break off", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, "the beginning")
		})
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "truncated", "log"},

	{"the application itself answers 503", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.app(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })))
		p.get()
		return p.doctorNginx()
	}, "upstream_status", "application's log"},

	{"health path does not exist", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], health: {path: /healthz}}", "http://"+p.site("/up")))
	}, "health_not_found", "pools.app.health.path: /up"},

	{"health path redirects", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], health: {path: /moved, expect: {status: 200}}}", "http://"+p.site("/up")))
	}, "health_redirect", "pools.app.health.path: /up"},

	{"health path requires a password", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], health: {path: /private}}", "http://"+p.site("/health")))
	}, "health_auth", "pools.app.health.path: /health"},

	{"nothing listens, HAProxy", func(p *plant) diagnosis {
		return p.haproxy("", "server one "+p.address())
	}, "nothing_listens", "start the application"},

	{"slow query, HAProxy", func(p *plant) diagnosis {
		return p.haproxy("timeout server 1s", "server one "+p.app(func(_ http.ResponseWriter, r *http.Request) { pause(r, 1500*time.Millisecond) }))
	}, "slow_answer", "timeout server "},

	{"crashes, HAProxy", func(p *plant) diagnosis {
		return p.haproxy("", "server one "+p.raw(func(net.Conn) {}))
	}, "closed_without_answer", "retry-on"},

	{"health path does not exist, HAProxy", func(p *plant) diagnosis {
		return p.haproxy("option httpchk GET /healthz", "server one "+p.site("/up")+" check inter 100ms fall 1")
	}, "health_not_found", "option httpchk GET /up"},

	{"another process has the listener's address", func(p *plant) diagnosis {
		to := p.app(fine)
		file := writeFile(p.T, p.dir, "goodgate.yaml", fmt.Sprintf("listeners: [%q]\npools:\n  app: {upstreams: [%q]}\n", p.app(fine), "http://"+to))
		return p.doctor("--config", file)
	}, "listener_conflict", "stop the other process"},
}

// TestDoctor creates each fault and runs the doctor.
func TestDoctor(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	for _, s := range slices.Concat(setups, configured, atHAProxy, unusual) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			d := s.build(p)
			if len(d.Findings) == 0 {
				t.Fatalf("the doctor found nothing, want %s\n%s", s.code, d.text)
			}
			f := d.Findings[0]
			if f.Code != s.code || !strings.Contains(f.Directive+"\n"+f.Do, s.fix) {
				t.Errorf("first finding %s, to write %q; want %s, %q\n%s", f.Code, f.Directive, s.code, s.fix, d.text)
			}
			if want := map[string]int{"error": 3, "warning": 4, "notice": 0}[f.Severity]; d.code != want {
				t.Errorf("exit code %d with %s first, want %d", d.code, f.Severity, want)
			}
			if strings.Contains(d.text, "secret") {
				t.Errorf("the doctor tells a query string:\n%s", d.text)
			}
			p.try(d)
		})
	}
}

func wantIn(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s lacks %q:\n%s", what, want, got)
	}
}

// pause takes as long as a slow query would.
func pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func asRoot(p *plant) {
	if os.Geteuid() != 0 {
		lack(p.T, "running nginx's workers as another user needs root")
	}
}

// neighbours returns a listener, and an unused address with a neighbouring port.
func neighbours(p *plant) (right net.Listener, wrong string) {
	p.Helper()
	ln := p.listen()
	port := ln.Addr().(*net.TCPAddr).Port
	return ln, fmt.Sprintf("%s:%d", p.host, port+1)
}

// socket runs an application on a unix socket.
func (p *plant) socket(name string, mode os.FileMode) string {
	p.Helper()
	path := p.path(name)
	ln, err := net.Listen("unix", path)
	if err != nil {
		p.Fatal(err)
	}
	p.appOn(ln, fine)
	if err := os.Chmod(path, mode); err != nil {
		p.Fatal(err)
	}
	return path
}

// verified is an http block whose upstream's certificate must be app.pem.
func verified(to, name string) string {
	return proxied("https://"+to, "proxy_ssl_verify on;", "proxy_ssl_name "+name+";", "proxy_ssl_trusted_certificate $DIR/app.pem;", "proxy_ssl_server_name on;")
}

// site is an application whose healthy path is the given one.
func (p *plant) site(healthy string) string {
	return p.app(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case healthy:
		case "/moved":
			http.Redirect(w, r, healthy, http.StatusFound)
		case "/private":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
}

// overloaded returns the address of an application that never accepts, and
// whose accept queue is full.
func (p *plant) overloaded() string {
	p.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { syscall.Close(fd) })
	address := &syscall.SockaddrInet4{Addr: [4]byte(net.ParseIP(p.host).To4())}
	if err := syscall.Bind(fd, address); err != nil {
		p.Fatal(err)
	}
	if err := syscall.Listen(fd, 1); err != nil {
		p.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		p.Fatal(err)
	}
	to := net.JoinHostPort(p.host, fmt.Sprint(bound.(*syscall.SockaddrInet4).Port))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if c, err := net.DialTimeout("tcp", to, 500*time.Millisecond); err == nil {
				p.Cleanup(func() { c.Close() })
			}
		})
	}
	wg.Wait()
	return to
}
