//go:build !minimal

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMigratePage: the results in docs/migrate.md equal the output of goodgate convert
// for the configurations there.
func TestMigratePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```[a-z]+\n(.*?)\n```")
	names := map[string]string{"nginx": "nginx.conf", "HAProxy": "haproxy.cfg", "Caddy": "Caddyfile", "Traefik": "dynamic.yml"}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		name := names[title]
		if name == "" {
			continue
		}
		delete(names, title)
		blocks := block.FindAllStringSubmatch(text, -1)
		if len(blocks) != 3 {
			t.Errorf("%s: %d blocks, want the configuration, the command and the result", title, len(blocks))
			continue
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(blocks[0][1]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := command("convert", path)
		_, made, _ := strings.Cut(stdout, "\nlisteners:")
		if code != exitOK || "listeners:"+made != blocks[2][1]+"\n" {
			t.Errorf("%s: exit code %d, got\n%s\n%s", title, code, stdout, stderr)
		}
	}
	if len(names) > 0 {
		t.Errorf("no section for %v", names)
	}
}
