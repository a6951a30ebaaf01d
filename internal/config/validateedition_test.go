package config

import (
	"strings"
	"testing"
)

func TestEditionHas(t *testing.T) {
	for _, c := range []struct {
		http3    bool
		tracing  string
		minimal  bool
		mistakes []string
	}{
		{true, "http://127.0.0.1:4318", false, nil},
		{false, "", true, nil},
		{true, "", true, []string{"listeners[0].http3.enabled"}},
		{true, "http://127.0.0.1:4318", true, []string{"listeners[0].http3.enabled", "tracing.endpoint"}},
	} {
		cfg := &Config{Listeners: []Listener{{Address: ":1"}}, Tracing: Tracing{Endpoint: c.tracing}}
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
