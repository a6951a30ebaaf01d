package assemble

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// A check warns of the lists that refuse clients.
func TestClientCRLWarnings(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("site.example"))
	file := ca.File(dir)
	for _, tc := range []struct{ crl, want string }{
		{ca.Revoke(t.TempDir(), time.Hour), ""},
		{ca.Revoke(t.TempDir(), -time.Hour), "the revocation list of CN=authority expired"},
		{certtest.NewAuthority(t, "other").Revoke(t.TempDir(), time.Hour), "there is no revocation list of CN=authority"},
		{certtest.NewAuthority(t, "authority").Revoke(t.TempDir(), time.Hour), "there is no revocation list of CN=authority"},
	} {
		c, _, err := config.Parse("test.yaml", fmt.Appendf(nil, `
listeners: [{address: "127.0.0.1:0", tls: {certificates: [{cert: %q, key: %q}], client_ca: %q, client_crl: %q}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, cert, key, file, tc.crl), nil)
		if err != nil {
			t.Fatal(err)
		}
		errs, warnings := Files(c, time.Now())
		var about []string
		for _, w := range warnings {
			if w.Path == "listeners[0].tls.client_crl" {
				about = append(about, config.Error(w).Error())
			}
		}
		if got := strings.Join(about, "\n"); len(errs) > 0 || (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %v, warnings %q, want %q", tc.crl, errs, got, tc.want)
		}
	}
}
