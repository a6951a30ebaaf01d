package config

import (
	"os"
	"strings"
	"testing"
)

// TestDump checks that a dump is an equivalent configuration, except that it contains
// no secrets.
func TestDump(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		return name + "-the-secret", true
	}
	c, _, err := Parse("a.yaml", text, env)
	if err != nil {
		t.Fatal(err)
	}
	dumped := string(Dump(c))
	if strings.Contains(dumped, "the-secret") {
		t.Errorf("a secret is shown:\n%s", dumped)
	}
	again, _, err := Parse("a.yaml", []byte(strings.ReplaceAll(dumped, hidden, "the-secret-of-cookies")), noEnv)
	if err != nil {
		t.Fatalf("%v\n%s", err, dumped)
	}
	for _, change := range Diff(c, again) {
		if change.What != "changed" { // the mark of a hidden value
			t.Errorf("%v", change)
		}
	}
}
