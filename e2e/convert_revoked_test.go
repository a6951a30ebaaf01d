package e2e_test

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// revoking are configurations that require client certificates and name revocation lists.
var revoking = map[string]string{
	"revoked.conf": `events {}
http {
    server {
        listen FRONT;
        listen SECURE ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate DIR/site.pem;
        ssl_certificate_key DIR/site.key;
        ssl_client_certificate DIR/ca.pem;
        ssl_verify_client on;
        ssl_crl DIR/ca.crl;
        location / {
            proxy_pass http://APP1;
            proxy_set_header Host $host;
            proxy_set_header X-Site "$ssl_client_verify $ssl_client_s_dn $ssl_protocol $server_port";
        }
    }
}
`,
	"revoked.cfg": `defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend f
    bind FRONT
    bind SECURE ssl crt DIR/both.pem ca-file DIR/ca.pem crl-file DIR/ca.crl verify required
    http-request set-header X-Site "%[ssl_fc_protocol] %[dst_port]"
    default_backend b
backend b
    server a APP1
`,
}

// TestConvertRevoked: both proxies serve a client with a good certificate. Neither serves
// a client with a revoked one, or with none.
func TestConvertRevoked(t *testing.T) {
	t.Parallel()
	for name, text := range revoking {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			v := &styled{conversion: &conversion{plant: p, front: p.address(), secure: p.address()}, inside: p.address()}
			ca := certtest.NewAuthority(t, "authority")
			good, bad := ca.Issue("good"), ca.Issue("bad")
			cert, key := ca.Files(p.dir, "site", ca.Issue("example.com"))
			ca.File(p.dir)
			ca.Revoke(p.dir, time.Hour, bad)
			writeFile(t, p.dir, "both.pem", readFile(t, cert)+readFile(t, key))
			file := writeFile(t, p.dir, name, strings.NewReplacer("FRONT", v.front, "SECURE", v.secure, "DIR", p.dir, "APP1", v.app(describing("one"))).Replace(text))
			clients := map[string][]tls.Certificate{"good": {good}, "bad": {bad}, "none": nil}
			stop := v.original(file)
			want := map[string]string{}
			for who, certs := range clients {
				want[who] = v.served(certs)
			}
			stop()
			v.convert(file)
			for who, certs := range clients {
				if got := v.served(certs); got != want[who] || (got != "refused") != (who == "good") {
					t.Errorf("the client with a %s certificate: the original: %s\ngoodgate: %s", who, want[who], got)
				}
			}
			if t.Failed() {
				text, _ := os.ReadFile(p.path("goodgate.yaml"))
				t.Logf("%s", text)
			}
		})
	}
}

// served returns the answer to a client with these certificates. nginx refuses with a 400.
func (v *styled) served(certs []tls.Certificate) string {
	v.Helper()
	conn, err := tls.Dial("tcp", v.secure, &tls.Config{InsecureSkipVerify: true, Certificates: certs})
	if err != nil {
		return "refused"
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	got := v.over(conn, "GET", "example.com", "/", "")
	if got == "no answer" || strings.HasPrefix(got, "400 ") {
		return "refused"
	}
	return got
}
