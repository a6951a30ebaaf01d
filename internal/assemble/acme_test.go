package assemble

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// someShare is a share without other instances.
type someShare struct{ acme.Share }

// TestEveryACMESettingArrives is TestEverySettingArrives for acme.
func TestEveryACMESettingArrives(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	c := config.ACME{Hosts: []string{"a.test"}, Email: "a@b.c", Directory: "https://ca", Cache: dir, CA: ca.File(dir), EAB: config.EAB{KID: "x", HMACKey: "AAAA"},
		DNS: &config.ACMEDNS{
			RFC2136:     &config.RFC2136{Server: "10.0.0.53:53", Zone: "test", KeyName: "k", KeySecret: "AAAA", Algorithm: "hmac-sha256", TTL: time.Minute},
			Propagation: time.Minute, Servers: []string{"10.0.0.53:53"}, Resolvers: []string{"10.0.0.53:53"}, FollowCNAME: true,
		}}
	o, err := ACME(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o.Try = func() []string { return nil } // the gate's
	o.Share = &someShare{}
	checkFilled(t, "acme", reflect.ValueOf(o))
	d := dnsChallenge(*c.DNS, o.Log)
	d.Exec = dnsChallenge(config.ACMEDNS{Exec: &config.DNSExec{Program: "/hook", Args: []string{"a"}, Env: config.Values{"A": "b"}, Timeout: time.Second}}, o.Log).Exec
	checkFilled(t, "acme.dns", reflect.ValueOf(d))
	if got := fmt.Sprint(d.Exec.Command); got != "[/hook a]" {
		t.Errorf("command: got %s", got)
	}
	c.CA = filepath.Join(dir, "none.pem")
	if _, err := ACME(c, o.Log); err == nil {
		t.Error("acme.ca that is not there is taken")
	}
}

// HTTP-01 is used only with a listener without TLS.
func TestChallenges(t *testing.T) {
	secure, plain := config.Listener{TLS: new(config.ListenerTLS)}, config.Listener{}
	for _, test := range []struct {
		setting   string
		listeners []config.Listener
		want      string
	}{
		{"any", []config.Listener{secure, plain}, "[tls-alpn-01 http-01]"},
		{"any", []config.Listener{secure}, "[tls-alpn-01]"},
		{"http", []config.Listener{secure, plain}, "[http-01]"},
		{"tls-alpn", []config.Listener{secure, plain}, "[tls-alpn-01]"},
	} {
		if got := fmt.Sprint(Challenges(config.ACME{Challenge: test.setting}, test.listeners)); got != test.want {
			t.Errorf("%s with %d listeners: got %s, want %s", test.setting, len(test.listeners), got, test.want)
		}
	}
	for setting, want := range map[string]string{"any": "[dns-01]", "dns": "[dns-01]", "http": "[http-01]", "tls-alpn": "[tls-alpn-01]"} {
		if got := fmt.Sprint(Challenges(config.ACME{Challenge: setting, DNS: &config.ACMEDNS{}}, []config.Listener{secure, plain})); got != want {
			t.Errorf("%s with dns: got %s, want %s", setting, got, want)
		}
	}
}
