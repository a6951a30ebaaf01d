//go:build !minimal

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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

// A file's name tells its format, but not that of YAML, JSON and TOML.
func TestFormatOfName(t *testing.T) {
	const own, traefik, caddy = "listeners: [':80']\npools: {a: {upstreams: ['http://a']}}\n", "http:\n  routers: {}\n", `{"apps": {"http": {}}}`
	for _, c := range [][3]string{
		{"nginx.yaml", own, ""}, {"nginx.yml", traefik, "traefik"}, {"nginx.toml", "[http.routers.a]\nrule = \"Host(`a`)\"\n", "traefik"},
		{"haproxy.yaml", own, ""}, {"haproxy.cfg", own, ""}, {"Caddyfile.yaml", own, ""}, {"Caddyfile.json", caddy, "caddy-json"}, {"nginx.conf", own, ""},
		{"nginx.conf", "user www;\n", "nginx"}, {"nginx", "user www;\n", "nginx"}, {"haproxy.cfg", "global\n", "haproxy"},
		{"Caddyfile", "import *.caddy\n", "caddyfile"}, {"Caddyfile.prod", "import *.caddy\n", "caddyfile"}, {"sites.caddyfile", "import *.caddy\n", "caddyfile"},
	} {
		file := filepath.Join(t.TempDir(), c[0])
		if err := os.WriteFile(file, []byte(c[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := formatOf(file)
		if isOwn := err != nil && strings.Contains(err.Error(), "goodgate's own format"); isOwn != (c[2] == "") || got != c[2] {
			t.Errorf("%s with %q is taken for %q (%v), want %q", c[0], c[1], got, err, c[2])
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
