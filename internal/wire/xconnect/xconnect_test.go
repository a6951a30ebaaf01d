package xconnect

import "testing"

// The setting is added to the operator's, and never replaces it.
func TestEnabled(t *testing.T) {
	t.Parallel()
	for debug, want := range map[string]string{
		"":                               "http2xconnect=1",
		"gctrace=1":                      "gctrace=1,http2xconnect=1",
		"http2xconnect=0":                "http2xconnect=0",
		"gctrace=1,http2xconnect=1":      "gctrace=1,http2xconnect=1",
		"http2debug=1,http2xconnect=0,x": "http2debug=1,http2xconnect=0,x",
	} {
		if got := enabled(debug); got != want {
			t.Errorf("%q: got %q, want %q", debug, got, want)
		}
	}
}
