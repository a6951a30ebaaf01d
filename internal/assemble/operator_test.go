package assemble

import "testing"

// TestOTLPURL: an endpoint without a path gets the standard one; others stay as they are.
func TestOTLPURL(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                                "",
		"http://collector:4318":           "http://collector:4318/v1/traces",
		"http://collector:4318/":          "http://collector:4318/v1/traces",
		"https://user:p@collector":        "https://user:p@collector/v1/traces",
		"http://collector:4318/v1/traces": "http://collector:4318/v1/traces",
		"https://vendor.example/otlp":     "https://vendor.example/otlp",
		"https://vendor.example/?key=a":   "https://vendor.example/?key=a",
	} {
		if got := otlpURL(endpoint, "/v1/traces"); got != want {
			t.Errorf("%q: got %s, want %s", endpoint, got, want)
		}
	}
}
