package config

import (
	"slices"
	"strings"
	"testing"
)

func TestClientCRL(t *testing.T) {
	const text = `
listeners: [{address: ":1", tls: {certificates: [{cert: /c, key: /k}], %%}}]
pools: {app: {upstreams: ["http://127.0.0.1:2"]}}`
	for keys, want := range map[string][]string{
		"client_ca: /ca":                               {},
		"client_ca: /ca, client_crl: /a.crl":           {"/a.crl"},
		"client_ca: /ca, client_crl: [b.crl, /c.crl]":  {"/etc/b.crl", "/c.crl"}, // from the file's folder
		"client_ca: /ca, client_crl: [\"${CRL}\", /c]": {"/from/env", "/c"},
	} {
		c, _, err := Parse("/etc/test.yaml", []byte(strings.ReplaceAll(text, "%%", keys)), func(string) (string, bool) { return "/from/env", true })
		if err != nil {
			t.Errorf("%s: %v", keys, err)
		} else if got := c.Listeners[0].TLS.ClientCRL; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", keys, got, want)
		}
	}
	_, _, err := Parse("test.yaml", []byte(strings.ReplaceAll(text, "%%", "client_crl: /a.crl")), nil)
	if err == nil || !strings.Contains(err.Error(), "client_crl") || !strings.Contains(err.Error(), "needs client_ca") {
		t.Errorf("lists without authorities: %v", err)
	}
}
