package assemble

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// someShare is a share without other instances.
type someShare struct{ acme.Share }

// TestEveryACMESettingArrives is TestEverySettingArrives for acme.
func TestEveryACMESettingArrives(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	c := config.ACME{Hosts: []string{"a.test"}, Email: "a@b.c", Directory: "https://ca", Cache: dir, CA: ca.File(dir), EAB: config.EAB{KID: "x", HMACKey: "AAAA"}}
	o, err := ACME(c)
	if err != nil {
		t.Fatal(err)
	}
	o.Log, o.Try = slog.New(slog.DiscardHandler), func() []string { return nil } // the gate's
	o.Share = &someShare{}
	checkFilled(t, "acme", reflect.ValueOf(o))
	c.CA = filepath.Join(dir, "none.pem")
	if _, err := ACME(c); err == nil {
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
}
