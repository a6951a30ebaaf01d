//go:build !minimal

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFormatOfName(t *testing.T) {
	for file, want := range map[string]string{
		"/etc/caddy/Caddyfile": "caddyfile", "Caddyfile.prod": "caddyfile", "sites.caddyfile": "caddyfile", "haproxy.cfg": "haproxy", "/etc/nginx/nginx.conf": "nginx", "nginx": "nginx",
	} {
		if got, err := formatOf(file); got != want {
			t.Errorf("%s is taken for %s (%v), want %s", file, got, err, want)
		}
	}
}

func TestFormatOfFolder(t *testing.T) {
	if got, err := formatOf(t.TempDir()); got != "nginx" {
		t.Errorf("a folder is taken for %q (%v)", got, err)
	}
}

// Every example in the tree is known by its text alone.
func TestFormatOfText(t *testing.T) {
	found := map[string]int{}
	for _, pattern := range []string{"../../e2e/testdata/convert/*", "../../benchmarks/*/configs/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			want := map[string]string{".conf": "nginx", ".cfg": "haproxy", ".caddyfile": "caddyfile", ".json": "caddy-json", ".yaml": "traefik"}[filepath.Ext(file)]
			if filepath.Base(file) == "Caddyfile" {
				want = "caddyfile"
			}
			text, err := os.ReadFile(file)
			if err != nil || want == "" || strings.Contains(file, "benchmarks") && want == "traefik" {
				continue
			}
			for _, name := range []string{"site.conf", "x", "config.txt"} {
				neutral := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(neutral, text, 0o600); err != nil {
					t.Fatal(err)
				}
				if got, err := formatOf(neutral); got != want {
					t.Errorf("%s as %s is taken for %q (%v), want %s", file, name, got, err, want)
				}
				found[want]++
			}
		}
	}
	if len(found) != 5 {
		t.Errorf("there are examples of %v only", found)
	}
}

func TestAmbiguousFormat(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "name it with --from (caddy-json, caddyfile, haproxy, nginx, traefik)",
		"hello world\n":             "unknown format; name it with --from",
		"a.example {\na b\nc d;\n}": "the format may be nginx or caddyfile; choose one with --from",
		"pools: {a: {}}\n":          "x.conf is in goodgate's own format already",
		"listeners:\n  - ':80'\n":   "x.conf is in goodgate's own format already", // like a Caddyfile's address
		`{"a": 1}`:                  "unknown format; name it with --from",
	} {
		file := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := formatOf(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is taken for %q (%v), want %q", text, got, err, want)
		}
		if _, err := converted(file, "nginx", ""); err != nil && text == "" {
			t.Errorf("--from nginx: %v", err)
		}
	}
}

// A file without a server has nothing to convert: no --accept helps.
func TestNothingToConvert(t *testing.T) {
	for name, text := range map[string]string{
		"x.conf": "gzip on;\n", "nginx.conf": "http {\n  include none.conf;\n}\n", "x.cfg": "global\n  maxconn 10\n", "Caddyfile": "{\n\tadmin off\n}\n", "x.yaml": "http:\n  routers: {}\n",
	} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, report strings.Builder
		err := convertFile(&out, &report, file, "", "", []string{"include", "server", "servers", "routers"})
		if err == nil || out.Len() > 0 || !strings.Contains(err.Error(), "nothing written: "+file+" has no ") || strings.Contains(err.Error(), "--accept") {
			t.Errorf("%s: %v\n%s%s", name, err, &out, &report)
		}
	}
}

// The examples of goodgate's own format are not taken for another.
func TestOwnFormat(t *testing.T) {
	for _, file := range []string{"../../config.example.yaml", "../../packaging/files/goodgate.yaml", "starts/app.yaml", "starts/canary.yaml"} {
		if got, err := formatOf(file); err == nil || !strings.Contains(err.Error(), "goodgate's own format") {
			t.Errorf("%s is taken for %q (%v)", file, got, err)
		}
	}
}
