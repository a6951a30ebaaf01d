package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// more are setups that stand for mistakes of their own kind.
var more = []setup{
	{"01 https default port forgotten", func(p *plant) diagnosis { // proxy_pass https://host without port, app has http only at another
		p.nginx(proxied("https://"+p.host)) // nothing at 443
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start the application"},

	{"02 mTLS wanted", func(p *plant) diagnosis {
		cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		to := p.appOn(tls.NewListener(p.listen(), &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert}), fine)
		p.nginx(proxied("https://" + to))
		p.get()
		return p.doctorNginx()
	}, "client_certificate", "proxy_ssl_certificate"},

	{"03 SNI wanted, none sent", func(p *plant) diagnosis {
		cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		to := p.appOn(tls.NewListener(p.listen(), &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName != "app.internal" {
				return nil, fmt.Errorf("unknown name %q", h.ServerName)
			}
			return &cert, nil
		}}), fine)
		p.nginx(proxied("https://"+to, "proxy_ssl_name app.internal;"))
		p.get()
		return p.doctorNginx()
	}, "sni", "proxy_ssl_server_name on;"},

	{"04 old TLS only", func(p *plant) diagnosis {
		cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		to := p.appOn(tls.NewListener(p.listen(), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), fine)
		p.nginx(proxied("https://" + to))
		p.get()
		return p.doctorNginx()
	}, "tls_version", "proxy_ssl_protocols"},

	{"05 upstream sends garbage header", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX Session: 1\r\nContent-Length: 0\r\n\r\n")
		})
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "invalid_header", ""},

	{"06 both content-length and transfer-encoding", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		})
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "duplicate_header", ""},

	{"07 HTTP/0.9-like answer", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) { io.WriteString(c, "<html>hello</html>") })
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "not_http", "correct the port"},

	{"08 application resets", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) })
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "closed_without_answer", ""},

	{"09 hangs for ever", func(p *plant) diagnosis {
		to := p.silent(func() {})
		p.nginx(proxied("http://"+to, "proxy_read_timeout 1s;"))
		p.ask(2, "GET", "/", "")
		return p.doctorNginx()
	}, "no_answer", ""},

	{"10 large upload refused by application", func(p *plant) diagnosis {
		to := p.raw(func(c net.Conn) { // reads a little, closes with data unread: reset
		})
		p.nginx(proxied("http://"+to, "client_max_body_size 100m;", "proxy_request_buffering off;"))
		p.ask(2, "POST", "/upload", strings.Repeat("x", 5<<20))
		return p.doctorNginx()
	}, "closed_without_answer", ""},

	{"11 websocket without Upgrade", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				w.WriteHeader(426)
			}
		})
		p.nginx(proxied("http://" + to))
		p.get()
		return p.doctorNginx()
	}, "", ""},

	{"12 resolver missing, with port in variable", func(p *plant) diagnosis {
		p.nginx(proxied("http://$up", "set $up app.internal:3000;"))
		p.get()
		return p.doctorNginx()
	}, "resolver_missing", "resolver "},

	{"13 variable empty", func(p *plant) diagnosis {
		p.nginx("map $http_x $up { default ''; a 127.0.0.1:1; }\n" + proxied("http://$up"))
		p.get()
		return p.doctorNginx()
	}, "upstream_address", ""},

	{"14 temp folder not writable", func(p *plant) diagnosis {
		asRoot(p)
		p.nginxWith("user nobody nogroup;", "", proxied("http://"+p.app(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("x", 4<<20))
		}), "proxy_temp_path $DIR/forbidden;"))
		if err := os.Chmod(p.path("forbidden"), 0); err != nil {
			p.Fatal(err)
		}
		os.Chown(p.path("forbidden"), 0, 0)
		c, err := net.Dial("unix", p.path("nginx.sock"))
		if err != nil {
			p.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		waitFor(p.T, "the error log", func() bool {
			b, _ := os.ReadFile(p.path("error.log"))
			return strings.Contains(string(b), "Permission denied")
		})
		return p.doctorNginx()
	}, "temp_forbidden", ""},

	{"15 limit_req too tight", func(p *plant) diagnosis {
		p.nginx("limit_req_zone $server_name zone=one:1m rate=1r/m;\n" + proxied("http://"+p.app(fine), "limit_req zone=one;"))
		p.ask(5, "GET", "/", "")
		return p.doctorNginx()
	}, "rate_limited", ""},

	{"16 error_page loop", func(p *plant) diagnosis {
		p.nginx("server { listen $LISTEN; location / { try_files $uri /index.html; root $DIR/none; } location /api { proxy_pass http://" + p.app(fine) + "; } }")
		p.get()
		return p.doctorNginx()
	}, "redirect_cycle", "=404"},

	{"17 auth_request upstream down", func(p *plant) diagnosis {
		p.nginx("server { listen $LISTEN; location / { auth_request /auth; proxy_pass http://" + p.app(fine) + "; } location = /auth { internal; proxy_pass http://" + p.address() + "; } }")
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start the application"},

	{"18 PHP's script unknown", func(p *plant) diagnosis {
		to := p.fcgiStderr("Primary script unknown", "404 Not Found")
		p.nginx(passed("include fastcgi_params; fastcgi_param SCRIPT_FILENAME /nowhere/index.php; fastcgi_pass " + to))
		p.get()
		return p.doctorNginx()
	}, "script_unknown", "SCRIPT_FILENAME"},

	{"19 backup refuses, main answers 503", func(p *plant) diagnosis {
		p.nginx("upstream app { server " + p.app(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }) + "; server " + p.address() + " backup; }\n" + proxied("http://app", "proxy_next_upstream error http_503;"))
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start"},

	{"20 slow body", func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			pause(r, 3*time.Second)
		})
		p.nginx(proxied("http://"+to, "proxy_read_timeout 1s;"))
		p.ask(2, "GET", "/stream", "")
		return p.doctorNginx()
	}, "response_stalled", ""},

	{"21 IPv6 only upstream literal, nothing there", func(p *plant) diagnosis {
		p.nginx(proxied("http://[::1]:" + fmt.Sprint(freePort(p.T))))
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start"},

	{"22 proxy protocol wanted by application", func(p *plant) diagnosis {
		ln := p.listen()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					b := bufio.NewReader(c)
					line, _ := b.ReadString('\n')
					if strings.HasPrefix(line, "PROXY ") {
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
					}
				}()
			}
		}()
		p.nginx(proxied("http://" + ln.Addr().String()))
		p.get()
		return p.doctorNginx()
	}, "proxy_protocol", ""},

	{"23 certificate expired, with SNI and group", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(-time.Hour)))
		p.nginx("upstream app { server " + to + "; keepalive 4; }\n" + proxied("https://app", "proxy_ssl_verify on;", "proxy_ssl_name app.internal;", "proxy_ssl_trusted_certificate $DIR/app.pem;"))
		p.get()
		return p.doctorNginx()
	}, "certificate_expired", "renew"},

	{"24 two servers, one wrong protocol", func(p *plant) diagnosis {
		p.nginx("upstream app { server " + p.app(fine) + "; server " + p.secure(p.certificate("app.pem", "a", time.Now().Add(1000*time.Hour))) + "; }\n" + proxied("http://app", "proxy_next_upstream off;"))
		p.ask(6, "GET", "/", "")
		return p.doctorNginx()
	}, "plain_to_tls_port", ""},

	{"25 application answers 502 on one path", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/pay" {
				w.WriteHeader(502)
			}
		})))
		p.ask(5, "GET", "/pay", "")
		return p.doctorNginx()
	}, "gateway_errors", ""},

	{"26 include in a location only", func(p *plant) diagnosis {
		writeFile(p.T, p.dir, "pass.inc", "proxy_pass http://"+p.address()+";\n")
		p.nginx("server { listen $LISTEN; location / { include pass.inc; } }")
		p.get()
		return p.doctorNginx()
	}, "nothing_listens", "start"},

	{"27 grpc to TLS port without grpcs", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour)))
		p.nginx(passed("grpc_pass grpc://" + to))
		p.get()
		return p.doctorNginx()
	}, "not_http2", "grpcs://"},

	{"28 socket path is a folder", func(p *plant) diagnosis {
		os.Mkdir(p.path("app.sock"), 0o755)
		p.nginx(proxied("http://unix:$DIR/app.sock"))
		p.get()
		return p.doctorNginx()
	}, "socket_not_socket", ""},

	{"29 the folder of the socket is closed", func(p *plant) diagnosis {
		asRoot(p)
		os.Mkdir(p.path("run"), 0o700)
		p.socket("run/app.sock", 0o666)
		p.nginxWith("user nobody nogroup;", "", proxied("http://unix:$DIR/run/app.sock"))
		p.get()
		return p.doctorNginx()
	}, "socket_permission", "chmod"},

	{"30 worker killed", func(p *plant) diagnosis {
		p.configure("", "", proxied("http://"+p.app(fine)))
		writeFile(p.T, p.dir, "error.log", strings.Repeat(time.Now().Format("2006/01/02 15:04:05")+" [alert] 1#1: worker process 77 exited on signal 9\n", 3))
		return p.doctorNginx()
	}, "worker_killed", ""},
}

// fcgiStderr answers each FastCGI request with words on stderr.
func (p *plant) fcgiStderr(says, status string) string {
	ln := p.listen()
	record := func(kind byte, body string) string {
		return string([]byte{1, kind, 0, 1, byte(len(body) >> 8), byte(len(body)), 0, 0}) + body
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head := make([]byte, 8)
				if _, err := io.ReadFull(c, head); err != nil {
					return
				}
				if head[1] == 9 {
					io.CopyN(io.Discard, c, int64(head[4])<<8+int64(head[5])+int64(head[6]))
					io.WriteString(c, string([]byte{1, 10, 0, 0, 0, 0, 0, 0}))
					return
				}
				c.Read(make([]byte, 8192))
				io.WriteString(c, record(7, says)+record(6, "Status: "+status+"\r\n\r\n")+record(6, "")+record(3, "\x00\x00\x00\x00\x00\x00\x00\x00"))
			}()
		}
	}()
	return ln.Addr().String()
}

func TestDoctorMore(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	for _, s := range more {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			d := s.build(p)
			for i, f := range d.Findings {
				fmt.Printf("%s | %d %s %s %s | %s | do %s | %q\n", s.name, i, f.Severity, f.Code, f.Confidence, f.Seen, f.Do, f.Directive)
			}
			fmt.Printf("%s | unknown %q code %d\n", s.name, d.Unknown, d.code)
			p.try(d)
		})
	}
}
