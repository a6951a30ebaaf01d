package e2e_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// wellToo are healthy setups with something that looks like a fault.
var wellToo = map[string]func(*plant) diagnosis{
	"a client certificate that the upstream requires": func(p *plant) diagnosis {
		to := p.mutual()
		p.nginx(proxied("https://"+to, "proxy_ssl_certificate $DIR/app.pem;", "proxy_ssl_certificate_key $DIR/app.pem;"))
		p.get()
		return p.doctorNginx()
	},
	"a name in the handshake": func(p *plant) diagnosis {
		cert := p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour))
		to := p.appOn(tls.NewListener(p.listen(), &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName != "app.internal" {
				return nil, net.ErrClosed
			}
			return &cert, nil
		}}), fine)
		p.nginx(verified(to, "app.internal"))
		p.get()
		return p.doctorNginx()
	},
	"maintenance": func(p *plant) diagnosis {
		p.nginx("server { listen $LISTEN; location / { proxy_pass http://" + p.app(fine) + "; } location /old { return 503; } }")
		p.get()
		p.ask(3, "GET", "/old", "")
		return p.doctorNginx()
	},
	"sixty locations to one upstream": func(p *plant) diagnosis {
		var locations strings.Builder
		for _, a := range "abcdefghijklmnopqrstuvwxyz" {
			for _, b := range "xyz" {
				locations.WriteString("location /" + string(a) + string(b) + "/ { proxy_pass http://app; proxy_read_timeout 5s; }\n")
			}
		}
		p.nginx("upstream app { zone app 64k; least_conn; server " + p.app(fine) + " max_conns=10; server " + p.app(fine) + " weight=3; }\nserver { listen $LISTEN;\n" + locations.String() + "}")
		p.ask(6, "GET", "/ax/1", "")
		return p.doctorNginx()
	},
	"a cache that answers for a slow application": func(p *plant) diagnosis {
		to := p.app(func(_ http.ResponseWriter, r *http.Request) { pause(r, 300*time.Millisecond) })
		p.nginx("proxy_cache_path $DIR/cache keys_zone=c:1m;\n" + proxied("http://"+to, "proxy_cache c;", "proxy_cache_valid 200 1m;", "proxy_cache_use_stale error timeout updating;"))
		p.get()
		return p.doctorNginx()
	},
	"an application that requires an upgrade": func(p *plant) diagnosis {
		to := p.app(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				w.WriteHeader(http.StatusUpgradeRequired)
			}
		})
		p.nginx("map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n" +
			proxied("http://"+to, "proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $connection_upgrade;", "proxy_read_timeout 1h;"))
		p.get()
		return p.doctorNginx()
	},
	"events without end": func(p *plant) diagnosis {
		p.nginx(proxied("http://"+p.app(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), "proxy_buffering off;", "proxy_read_timeout 1h;"))
		return p.doctorNginx("--max-wait", "500ms")
	},
	"a location that leads to another of the same server": func(p *plant) diagnosis {
		own := p.address()
		p.nginx("server { listen $LISTEN; listen " + own + "; location /old/ { proxy_pass http://" + own + "/new/; } location /new/ { proxy_pass http://" + p.app(fine) + "/; } }")
		p.ask(3, "GET", "/old/x", "")
		return p.doctorNginx()
	},
	"IPv6": func(p *plant) diagnosis {
		ln, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			lack(p.T, "no IPv6: %v", err)
		}
		p.Cleanup(func() { ln.Close() })
		p.nginx(proxied("http://" + p.appOn(ln, fine)))
		p.get()
		return p.doctorNginx()
	},
	"a variable, and a name server that knows the name": func(p *plant) diagnosis {
		_, port, _ := net.SplitHostPort(p.app(fine))
		ns := startNameServer(p.T, p.host)
		p.nginx(proxied("http://$app:"+port, "resolver "+ns.address+" ipv6=off;", "set $app app.internal;"))
		p.get()
		return p.doctorNginx()
	},
	"an application that answers 401": func(p *plant) diagnosis {
		auth := p.app(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		p.nginx("server { listen $LISTEN; location / { auth_request /auth; proxy_pass http://" + p.app(fine) + "; } location = /auth { internal; proxy_pass http://" + auth + "; proxy_pass_request_body off; proxy_set_header Content-Length \"\"; } }")
		p.get()
		return p.doctorNginx()
	},
}
