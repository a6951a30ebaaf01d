package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"
)

// unusual are setups that an earlier doctor did not recognize.
var unusual = []setup{
	{"a client certificate is wanted", func(p *plant) diagnosis {
		p.nginx(proxied("https://" + p.mutual()))
		p.get()
		return p.doctorNginx()
	}, "tls_client_certificate", "proxy_ssl_certificate_key "},

	{"the handshake requires a name, and nginx sends none", func(p *plant) diagnosis {
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
	}, "tls_name", "proxy_ssl_server_name on;"},

	{"the upstream speaks TLS 1.0", func(p *plant) diagnosis {
		cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		to := p.appOn(tls.NewListener(p.listen(), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), fine)
		p.nginx(proxied("https://" + to))
		p.get()
		return p.doctorNginx()
	}, "tls_version", "proxy_ssl_protocols TLSv1 "},

	{"temporary files are not nginx's", func(p *plant) diagnosis {
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
	}, "temp_forbidden", "chown -R nobody "},

	{"the PROXY protocol is wanted", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.wantsPROXY()))
		p.get()
		return p.doctorNginx()
	}, "proxy_protocol", "listen ... proxy_protocol"},

	{"one server of a group speaks TLS", func(p *plant) diagnosis {
		p.nginx("upstream app { server " + p.app(fine) + "; server " + p.secure(p.certificate("app.pem", "a", time.Now().Add(1000*time.Hour))) + "; }\n" + proxied("http://app", "proxy_next_upstream off;"))
		p.ask(6, "GET", "/", "")
		return p.doctorNginx()
	}, "plain_to_tls_port", "correct the port of this server"},

	{"the application answers 502 to one path", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/pay" {
				w.WriteHeader(502)
			}
		})))
		p.ask(5, "GET", "/pay", "")
		return p.doctorNginx()
	}, "upstream_status", "application's log"},

	{"gRPC to a port with TLS", func(p *plant) diagnosis {
		s := httptest.NewUnstartedServer(http.HandlerFunc(fine))
		s.Listener.Close()
		s.Listener, s.EnableHTTP2 = p.listen(), true
		s.StartTLS()
		p.Cleanup(s.Close)
		p.nginx(passed("grpc_pass grpc://" + s.Listener.Addr().String()))
		p.get()
		return p.doctorNginx()
	}, "plain_to_tls_port", "grpc_pass grpcs://"},

	{"a client certificate is wanted, goodgate", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], tls: {insecure: true}}", "https://"+p.mutual()))
	}, "tls_client_certificate", "pools.app.tls.cert: "},

	{"the PROXY protocol is wanted, goodgate", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q]}", "http://"+p.wantsPROXY()))
	}, "proxy_protocol", "pools.app.proxy_protocol: v1"},

	{"the PROXY protocol is sent, and not known, goodgate", func(p *plant) diagnosis {
		return p.doctorGoodgate(fmt.Sprintf("{upstreams: [%q], proxy_protocol: v1}", "http://"+p.raw(func(c net.Conn) {})))
	}, "closed_without_answer", "application's log"},

	{"one of two upstreams has another port, goodgate", func(p *plant) diagnosis {
		right, wrong := neighbours(p)
		p.appOn(right, fine)
		d := p.doctorGoodgate(fmt.Sprintf("{upstreams: [{url: %q, weight: 2}]}", "http://"+wrong))
		wantIn(p.T, "the directive", d.Findings[0].Directive, "pools.app.upstreams[0].url: ")
		return d
	}, "wrong_port", "upstreams[0].url"},

	{"HTTP/2 only, over TLS", func(p *plant) diagnosis {
		cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		s := &http.Server{Handler: http.HandlerFunc(fine), Protocols: new(http.Protocols)}
		s.Protocols.SetHTTP2(true)
		ln := p.listen()
		go s.Serve(tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}))
		p.Cleanup(func() { s.Close() })
		p.nginx(proxied("https://" + ln.Addr().String()))
		p.get()
		return p.doctorNginx()
	}, "http2_only", "grpc_pass grpcs://"},

	{"nginx passes requests on to itself", func(p *plant) diagnosis {
		own := p.address()
		p.nginxWith("", "worker_connections 32;", "server { listen $LISTEN; listen "+own+"; location / { proxy_pass http://"+own+"; } }")
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "loop", "the application's own port"},

	{"a chunked response without chunks", func(p *plant) diagnosis {
		p.nginx(proxied("http://"+p.raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n")
		}), "proxy_http_version 1.1;"))
		p.get()
		return p.doctorNginx()
	}, "invalid_chunks", "curl --raw"},

	{"nothing follows 100 Continue", func(p *plant) diagnosis {
		p.nginx(proxied("http://" + p.raw(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") })))
		p.get()
		return p.doctorNginx()
	}, "closed_without_answer", "application's log"},

	{"a response stops in the middle", func(p *plant) diagnosis {
		p.nginx(proxied("http://"+p.app(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), "proxy_read_timeout 1s;"))
		p.ask(1, "GET", "/", "")
		return p.doctorNginx()
	}, "response_stalled", "waits for"},

	{"a limit on requests", func(p *plant) diagnosis {
		p.nginx("limit_req_zone $host zone=one:1m rate=1r/m;\n" + proxied("http://"+p.app(fine), "limit_req zone=one;"))
		p.ask(5, "GET", "/", "")
		d := p.doctorNginx()
		if len(d.Findings) != 1 {
			p.Errorf("one cause is told more than once:\n%s", d.text)
		}
		return d
	}, "rate_limited", "raise the limit"},
}

// mutual runs an application that requires client certificates.
func (p *plant) mutual() string {
	cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
	return p.appOn(tls.NewListener(p.listen(), &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert}), fine)
}

// wantsPROXY runs an application that closes connections without the PROXY protocol.
func (p *plant) wantsPROXY() string {
	ln := p.listen()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if line, _ := bufio.NewReader(c).ReadString('\n'); strings.HasPrefix(line, "PROXY ") {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
				}
			}()
		}
	}()
	return ln.Addr().String()
}
