package e2e_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// The example for Docker Compose: goodgate's file is valid, and the services and mounts
// that it uses are in the other file.
func TestComposeExample(t *testing.T) {
	t.Parallel()
	const dir = "../deploy/compose/"
	text, err := os.ReadFile(dir + "compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Image     string
			Command   []string
			Ports     []string
			Volumes   []string
			Expose    []string
			ReadOnly  bool     `yaml:"read_only"`
			CapDrop   []string `yaml:"cap_drop"`
			Security  []string `yaml:"security_opt"`
			Restart   string
			StopGrace string `yaml:"stop_grace_period"`
			Deploy    struct{ Replicas int }
		}
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(&compose); err != nil {
		t.Fatal(err)
	}
	gate, app := compose.Services["goodgate"], compose.Services["app"]
	if app.Deploy.Replicas != 2 || !slices.Equal(app.Expose, []string{"3000"}) || !slices.Equal(gate.Ports, []string{"8080:8080"}) {
		t.Errorf("goodgate %+v, app %+v", gate, app)
	}
	config := dir + "goodgate/goodgate.yaml"
	wantCommand(t, 0, "good: 1 listener", "check", config)
	text, err = os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Listeners []string
		Shutdown  map[string]string
		Pools     map[string]struct{ Upstreams []string }
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Pools["app"].Upstreams, []string{"http://app:3000"}) || !slices.Equal(c.Listeners, []string{":8080"}) {
		t.Errorf("goodgate's file leads to %v from %v", c.Pools, c.Listeners)
	}
	var drain time.Duration
	for _, key := range []string{"lame_duck", "grace"} {
		part, err := time.ParseDuration(c.Shutdown[key])
		if err != nil {
			t.Errorf("shutdown.%s: %v", key, err)
		}
		drain += part
	}
	if wait, err := time.ParseDuration(gate.StopGrace); err != nil || wait <= drain {
		t.Errorf("Docker waits %v, %v, but goodgate drains for up to %v", wait, err, drain)
	}
}
