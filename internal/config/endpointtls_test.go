package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestEndpointTLS: half of a client certificate is an error, and settings of TLS for an
// http endpoint are a warning.
func TestEndpointTLS(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"tracing", "metrics"} {
		for settings, want := range map[string]string{
			`{endpoint: "https://a", tls: {ca: ./c, server_name: a.example, cert: ./c, key: ./k}}`: "",
			`{endpoint: "https://a", tls: {cert: ./c}}`:                                            "KEY.tls: cert and key go together: set both, or neither",
			`{endpoint: "https://a", tls: {key: ./k}}`:                                             "KEY.tls: cert and key go together: set both, or neither",
			`{endpoint: "http://a", tls: {ca: ./c}}`:                                               "warning: KEY.tls.ca: has no effect on an http endpoint: it has no TLS",
			`{endpoint: "http://a", tls: {insecure: false}}`:                                       "",
			`{tls: {ca: ./c}}`: "",
		} {
			_, warnings, err := Parse("g.yaml", []byte(key+": "+settings+"\nlisteners: [\":1\"]\npools: {app: {upstreams: [\"http://127.0.0.1:2\"]}}\n"), noEnv)
			got := ""
			if err != nil {
				got = err.Error()
			}
			for _, w := range warnings {
				got += fmt.Sprintf("warning: %s: %s\n", w.Path, w.Message)
			}
			if want = strings.ReplaceAll(want, "KEY", key); !strings.Contains(got, want) || want == "" && got != "" {
				t.Errorf("%s: %s: got %q, want %q", key, settings, got, want)
			}
		}
	}
}
