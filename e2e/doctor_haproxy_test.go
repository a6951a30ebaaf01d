package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/proxylog"
)

// atHAProxy are setups in which HAProxy answers with bad gateways, and a line of its
// configuration is the remedy.
var atHAProxy = []setup{
	{"wrong port, HAProxy", func(p *plant) diagnosis {
		right, wrong := neighbours(p)
		p.appOn(right, fine)
		d := p.haproxy("", "server one "+wrong+" weight 10 check inter 60s")
		wantIn(p.T, "the directive", d.Findings[0].Directive, "server one "+right.Addr().String()+" weight 10 check inter 60s")
		return d
	}, "wrong_port", "server one "},

	{"TLS to a port without it, HAProxy", func(p *plant) diagnosis {
		d := p.haproxy("", "server one "+p.app(fine)+" weight 10 ssl verify none sni str(app)")
		if got := d.Findings[0].Directive; strings.Contains(got, "ssl") || strings.Contains(got, "sni") || !strings.Contains(got, "weight 10") {
			p.Errorf("the directive is %q", got)
		}
		return d
	}, "tls_to_plain_port", "server one "},

	{"no TLS to a port with it, HAProxy", func(p *plant) diagnosis {
		return p.haproxy("", "server one "+p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour)))+" maxconn 20")
	}, "plain_to_tls_port", "maxconn 20 ssl verify required"},

	{"certificate for another name, HAProxy", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "other.internal", time.Now().Add(1000*time.Hour)))
		return p.haproxy("", "server one "+to+" ssl verify required ca-file "+p.path("app.pem")+" verifyhost app.internal")
	}, "certificate_name", "verifyhost other.internal sni str(other.internal)"},

	{"self-signed certificate, HAProxy", func(p *plant) diagnosis {
		to := p.secure(p.certificate("app.pem", "app.internal", time.Now().Add(1000*time.Hour)))
		p.certificate("trusted.pem", "someone.else", time.Now().Add(1000*time.Hour))
		return p.haproxy("", "server one "+to+" ssl verify required ca-file "+p.path("trusted.pem")+" verifyhost app.internal")
	}, "certificate_self_signed", "ca-file /etc/ssl/upstream-ca.pem"},

	{"HTTP/2 only, HAProxy", func(p *plant) diagnosis {
		return p.haproxy("", "server one "+p.http2Only()+" check")
	}, "http2_only", "check proto h2"},

	{"missing socket, HAProxy", func(p *plant) diagnosis {
		p.socket("application.sock", 0o666)
		return p.haproxy("", "server one unix@"+p.path("app.sock"))
	}, "socket_missing", "server one unix@"},
}

// TestDoctorHAProxySuggests: HAProxy accepts the lines that the doctor suggests for each
// of its termination states and events.
func TestDoctorHAProxySuggests(t *testing.T) {
	t.Parallel()
	need(t, "haproxy")
	p := newPlant(t)
	tried := 0
	for _, row := range proxylog.Rows() {
		if row.Proxy != "HAProxy" || row.Directive == "" {
			continue
		}
		text, _ := readLog(t, row.Example+"\n", "--json")
		var report struct {
			Findings []struct{ Code, Directive string }
		}
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if len(report.Findings) == 0 || report.Findings[0].Directive != row.Directive {
			t.Errorf("%s: found %+v, want %q", row.Example, report.Findings, row.Directive)
			continue
		}
		base := fmt.Sprintf("global\n    maxconn 100\ndefaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n    retries 2\nfrontend web\n    bind %s\n    default_backend app\nbackend app\n    server s1 %s\n", p.address(), p.address())
		if config := haproxyWith(base, row.Directive); config != base {
			tried++
			p.haproxyTakes(report.Findings[0].Code, row.Directive, config)
		}
	}
	if tried < 5 {
		t.Errorf("only %d suggestions", tried)
	}
}
