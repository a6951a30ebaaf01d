package config

import (
	"strings"
	"testing"
)

func TestEditionHas(t *testing.T) {
	for _, c := range []struct {
		http3    bool
		tracing  string
		pages    ErrorPages
		minimal  bool
		mistakes []string
	}{
		{true, "http://127.0.0.1:4318", ErrorPages{HTML: "a"}, false, nil},
		{false, "", ErrorPages{}, true, nil},
		{true, "", ErrorPages{}, true, []string{"listeners[0].http3.enabled"}},
		{true, "http://127.0.0.1:4318", ErrorPages{}, true, []string{"listeners[0].http3.enabled", "tracing.endpoint"}},
		{false, "", ErrorPages{HTML: "a"}, true, []string{"errors.html"}},
		{false, "", ErrorPages{HTML: "a", JSON: "b"}, true, []string{"errors.html", "errors.json"}},
	} {
		cfg := &Config{Listeners: []Listener{{Address: ":1"}}, Tracing: Tracing{Endpoint: c.tracing}, Errors: c.pages}
		cfg.Listeners[0].HTTP3.Enabled = c.http3
		v := &validator{config: cfg}
		v.editionHas(c.minimal)
		if len(v.errs) != len(c.mistakes) {
			t.Errorf("%+v: got %v", c, v.errs)
			continue
		}
		for i, want := range c.mistakes {
			if v.errs[i].Path != want || !strings.Contains(v.errs[i].Error(), "minimal") {
				t.Errorf("%+v: got %v", c, v.errs[i])
			}
		}
	}
}
