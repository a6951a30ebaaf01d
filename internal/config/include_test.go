package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder writes files, by name, and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadText returns Load's messages about main.yaml, without the folder's name.
func loadText(t *testing.T, files map[string]string) (*Config, string) {
	t.Helper()
	dir := folder(t, files)
	c, warnings, err := Load(filepath.Join(dir, "main.yaml"))
	text := strings.Builder{}
	for _, w := range warnings {
		fmt.Fprintln(&text, w)
	}
	if err != nil {
		fmt.Fprintln(&text, err)
	}
	return c, strings.ReplaceAll(strings.TrimSpace(text.String()), dir+string(filepath.Separator), "")
}

func TestInclude(t *testing.T) {
	t.Parallel()
	c, said := loadText(t, map[string]string{
		"main.yaml":         "include: [conf.d/*.yaml, \"more/${NONE:-admin}.yaml\"]\nlisteners: [\":8080\"]\nroutes: [{name: first, match: {path: /first}, pool: a}]\npools: {a: {upstreams: [\"http://127.0.0.1:1\"]}}\n",
		"conf.d/20-b.yaml":  "routes:\n  - {name: b, match: {path: /b}, pool: b}\npools:\n  b: {upstreams: [\"https://127.0.0.1:2\"], tls: {ca: b.pem}}\n",
		"conf.d/10-c.yaml":  "# one more\nroutes: [{name: c, match: {path: /c}, pool: c}]\npools: {c: &x {upstreams: [\"http://127.0.0.1:3\"]}, d: *x}\nlisteners: [\":8081\"]\n",
		"conf.d/30.yaml":    "# nothing yet\n",
		"conf.d/.swp.yaml":  "an editor's",
		"conf.d/README":     "not matched",
		"conf.d/x.yaml/not": "a folder",
		"more/admin.yaml":   "include: ../main.yaml\nadmin: \"127.0.0.1:9\"\nlog: {output: x.log}\n",
	})
	if said != "conf.d/10-c.yaml:3:55: pools.d: no route uses this pool: it only gets health checks" {
		t.Fatalf("got %s", said)
	}
	var routes []string
	for _, r := range c.Routes {
		routes = append(routes, r.Name)
	}
	if got := fmt.Sprint(routes, len(c.Pools), len(c.Listeners), " ", c.Admin.Address); got != "[first c b] 4 2 127.0.0.1:9" {
		t.Errorf("got %s", got)
	}
	if ca, log := c.Pools["b"].TLS.CA, c.Log.Output; !strings.HasSuffix(ca, filepath.Join("conf.d", "b.pem")) || !strings.HasSuffix(log, filepath.Join("more", "x.log")) {
		t.Errorf("got %s and %s: a name is relative to the file that it is in", ca, log)
	}
	var names []string
	for _, f := range c.Source() {
		names = append(names, filepath.Base(f.Name))
	}
	if want := []string{"main.yaml", "10-c.yaml", "20-b.yaml", "30.yaml", "admin.yaml"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	again, _, err := ParseFiles(c.Source(), os.LookupEnv)
	if err != nil || len(Diff(c, again)) > 0 {
		t.Errorf("the same files as kept: %v, %v", err, Diff(c, again))
	}
}

// TestIncludeReadsOnce: a file is one, whether its name is relative or absolute.
func TestIncludeReadsOnce(t *testing.T) {
	dir := folder(t, map[string]string{"main.yaml": "", "p.yaml": "pools: {a: {upstreams: [\"http://127.0.0.1:1\"]}}\n"})
	main := fmt.Sprintf("include: [%q, p.yaml]\nlisteners: [\":8080\"]\nroutes: [{name: x, pool: a}]\n", filepath.Join(dir, "*.yaml"))
	if err := os.WriteFile(filepath.Join(dir, "main.yaml"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	c, _, err := Load("main.yaml")
	if err != nil || len(c.Listeners) != 1 || len(c.Routes) != 1 {
		t.Errorf("got %v, %v", c, err)
	}
}

// TestIncludeMistakes: each names the file and the line where it is.
func TestIncludeMistakes(t *testing.T) {
	t.Parallel()
	const main = "include: conf.d/*.yaml\nlisteners: [\":8080\"]\npools:\n  a: {upstreams: [\"http://127.0.0.1:1\"]}\n"
	f := func(name, main string, parts map[string]string, want string) {
		t.Helper()
		files := map[string]string{"main.yaml": main}
		for part, text := range parts {
			files["conf.d/"+part] = text
		}
		if _, got := loadText(t, files); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	one := func(text string) map[string]string { return map[string]string{"p.yaml": text} }
	f("nothing matches", main, nil, "main.yaml:1:10: include[0]: no file matches conf.d/*.yaml")
	f("no file", strings.Replace(main, "conf.d/*.yaml", "[none.yaml]", 1), nil, "main.yaml:1:11: include[0]: stat none.yaml: no such file or directory")
	f("no pattern", strings.Replace(main, "conf.d/*.yaml", "\"conf.d/[x\"", 1), nil, "main.yaml:1:10: include[0]: found \"conf.d/[x\": not a valid pattern: the ] is missing")
	f("no list", strings.Replace(main, "conf.d/*.yaml", "{a: b}", 1), nil, "main.yaml:1:10: include: found a mapping: expected a list: begin each entry with \"- \"")
	f("pool twice", main, one("\n\npools:\n  a: {upstreams: [\"http://127.0.0.1:2\"]}\n"), "conf.d/p.yaml:4:3: pools.a: duplicate key: the first one is in main.yaml:4")
	f("pool twice in parts", main, map[string]string{"p.yaml": "routes: [{pool: a}]\npools:\n  b: {upstreams: [\"http://127.0.0.1:2\"]}\n", "q.yaml": "pools: {b: {}}\n"},
		"conf.d/q.yaml:1:9: pools.b: duplicate key: the first one is in conf.d/p.yaml:3")
	f("route twice", main+"routes: [{name: x, pool: a}]\n", one("routes: [{name: x, match: {path: /x}, pool: a}]\n"), "conf.d/p.yaml:1:17: routes[1].name: found \"x\": routes[0] has this name already")
	f("key twice", main+"via: x\n", one("via: y\n"), "conf.d/p.yaml:1:1: via: duplicate key: the first one is in main.yaml:5")
	f("defaults twice", main+"defaults: {hold: {for: 1s}}\n", one("defaults: {}\n"), "conf.d/p.yaml:1:1: defaults: duplicate key: the first one is in main.yaml:5")
	f("include twice", main+"include: x\n", nil, "main.yaml:5:1: include: duplicate key: the first one is in line 1")
	f("unknown key", main, one("\npolls:\n  b: {}\n"), "conf.d/p.yaml:2:1: polls: unknown key (did you mean pools?)")
	f("bad value", main, one("pools:\n  b:\n    upstreams: [\"http://127.0.0.1:2\"]\n    retry: {attempts: 99}\nroutes: [{pool: b}]"), "conf.d/p.yaml:4:23: pools.b.retry.attempts: found \"99\": must be from 1 to 10")
	f("no YAML", main, one("pools:\n  b: {upstreams: [\"http://127.0.0.1:2\"}\n"), "conf.d/p.yaml:2:18: not valid YAML: the [ is not closed")
	f("a list", main, one("- a\n"), "conf.d/p.yaml:1:1: found a list: expected a mapping with keys such as routes and pools")
	f("pools are a list", main, one("pools: [a]\n"), "conf.d/p.yaml:1:8: pools: found a list: expected a mapping")
	f("goes on", main, one("via: x\n  y z:1\n"), "conf.d/p.yaml:2:3: via: this line continues the value in line 1: check its indentation: expected a word of letters, digits, - and _")
}

// TestIncludeBounds: files that include each other end, and so do many levels.
func TestIncludeBounds(t *testing.T) {
	t.Parallel()
	files := map[string]string{"main.yaml": minimal + "include: 1.yaml\n"}
	for i := range 12 {
		files[fmt.Sprintf("%d.yaml", i+1)] = fmt.Sprintf("include: [%d.yaml, main.yaml, 1.yaml]\n", i+2)
	}
	if _, got := loadText(t, files); got != "8.yaml:1:11: include[0]: too many levels of included files: the limit is 8" {
		t.Errorf("got %s", got)
	}
	files = map[string]string{"main.yaml": minimal + "include: parts/*\n"}
	for i := range maxFiles + 1 {
		files[fmt.Sprintf("parts/%04d", i)] = "# none\n"
	}
	if _, got := loadText(t, files); got != "main.yaml:5:10: include[0]: more than 1000 files" {
		t.Errorf("got %s", got)
	}
	big := "#" + strings.Repeat("x", maxBytes/2)
	if _, got := loadText(t, map[string]string{"main.yaml": minimal + "include: [a, b]\n", "a": big, "b": big}); got != "main.yaml:5:14: include[1]: all files together are larger than 4MiB" {
		t.Errorf("got %s", got)
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef-hush"
	with := func(value string) string {
		return withPool("policy: sticky, sticky: {secret: '"+value+"'}") + "include: sub/p.yaml\n"
	}
	files := map[string]string{"main.yaml": with("${file:key}"), "key": key + "\r\n\n", "sub/p.yaml": "via: ${file:name}\n", "sub/name": "edge\n"}
	c, said := loadText(t, files)
	if said != "" || string(c.Pools["app"].Sticky.Secret) != key || c.Via != "edge" {
		t.Errorf("got %q, %v", said, c)
	}
	f := func(main, want string) {
		t.Helper()
		_, got := loadText(t, map[string]string{"main.yaml": main, "key": "hush", "two": "hush hush\nhush", "big": strings.Repeat("x", maxSecret+1), "nothing": "\n", "sub/p.yaml": ""})
		if strings.Contains(got, "hush") || !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	f(with("${file:none}"), "pools.app.sticky.secret: there is no file none")
	f(with("${file:sub}"), "sub is not a regular file")
	f(with("${file:big}"), "big is larger than 64KiB")
	f(with("${file:}"), "invalid reference: write ${NAME}, ${NAME:-default} or ${file:PATH}")
	f(with("${file:key}"), "pools.app.sticky.secret: has 4 bytes")
	f(with("${file:nothing}"), "pools.app.sticky.secret: nothing is empty")
	f(with("${file:${NONE:-key}}"), "a reference cannot contain another one")
	f(with("hush")+"admin: {address: '127.0.0.1:0', token: '${file:two}'}\n", "admin.token: bad value: a header value must not have line breaks")
	f(strings.Replace(with("x"), ":8080", "${file:two}", 1), "listeners[0].address: found the value of \"${file:two}\"")
}

// TestInputs: the hash changes with everything that is read, including unusable files.
func TestInputs(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"main.yaml": minimal + "include: [conf.d/*.yaml, none.yaml]\n", "conf.d/a.yaml": "admin: {token: '${file:../secrets/a}'}\n", "secrets/a": "one",
	})
	last := [32]byte{}
	f := func(name, text string, changes bool) {
		t.Helper()
		path := filepath.Join(dir, name)
		if text == "" {
			os.Remove(path)
		} else if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sum, folders, err := Inputs(filepath.Join(dir, "main.yaml"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (sum != last) != changes {
			t.Errorf("%s: %q: the sum has changed: %v", name, text, sum != last)
		}
		last = sum
		if name != "main.yaml" && (len(folders) < 2 || folders[0] != dir) {
			t.Errorf("%s: got folders %q", name, folders)
		}
	}
	f("other", "x", true) // the first
	f("other", "y", false)
	f("secrets/a", "two", true)
	f("secrets/a", "", true)
	f("secrets/a", "three", true)
	f("conf.d/b.yaml", "via: b", true)
	f("conf.d/b.yaml", "via: [b", true)
	f("conf.d/b.yaml", "via: [c", true)
	f("conf.d/b.txt", "via: [c", false)
	f("conf.d/b.yaml", "", true)
	f("none.yaml", "via: a", true)
	f("none.yaml", "", true)
	f("main.yaml", ": [", true)
	if _, _, err := Inputs(filepath.Join(dir, "none.yaml")); err == nil {
		t.Error("no error about a file that is not there")
	}
}
