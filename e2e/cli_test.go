package e2e_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// command runs goodgate to its end, in a folder, and returns its output and exit code.
func command(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err logtest.Buffer
	c := exec.CommandContext(t.Context(), built.goodgate, args...)
	c.Dir, c.Stdout, c.Stderr = dir, &out, &err
	e := c.Run()
	if _, ok := errors.AsType[*exec.ExitError](e); e != nil && !ok {
		t.Fatal(e)
	}
	return out.String(), err.String(), c.ProcessState.ExitCode()
}

// wantCommand runs goodgate and expects an exit code and a text in the output.
func wantCommand(t *testing.T, code int, text string, args ...string) {
	t.Helper()
	stdout, stderr, got := command(t, "", args...)
	if got != code {
		t.Errorf("goodgate %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	if !strings.Contains(stdout+stderr, text) {
		t.Errorf("goodgate %s wrote\n%s%swant %q in it", strings.Join(args, " "), stdout, stderr, text)
	}
}

func TestCheckFindsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"mistakes": 2, "warnings": 0} {
		dir := filepath.Join("testdata", "check")
		got, stderr, code := command(t, dir, "check", name+".yaml")
		if code != want {
			t.Errorf("check %s.yaml: exit code %d, want %d\n%s", name, code, want, stderr)
		}
		golden(t, filepath.Join(dir, name+".txt"), got+stderr)
	}
}

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestCheckExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startApp(t, "go", "go")
	down := freeAddress(t)
	file := func(name, upstream, rest string) string {
		return writeFile(t, dir, name, "listeners: [\"127.0.0.1:0\"]\npools:\n  app:\n    upstreams: [\""+upstream+"\"]\n"+rest)
	}
	good := file("good.yaml", a.url(), "    health: {path: /healthz}\n")
	silent := file("silent.yaml", "http://"+down, "")
	sick := file("sick.yaml", a.url(), "    health: {path: \"/?status=500\"}\n")
	nameless := file("nameless.yaml", "http://nowhere.invalid:80", "")
	typo := file("typo.yaml", a.url(), "    helth: {}\n")

	wantCommand(t, 0, "good: 1 listener, 1 route, 1 pool, 0 warnings", "check", good)
	wantCommand(t, 0, a.address+": answers", "check", "--probe", good)
	wantCommand(t, 0, "good", "check", silent)
	wantCommand(t, 3, down, "check", "--probe", silent)
	wantCommand(t, 3, "status 500", "check", "--probe", sick)
	wantCommand(t, 3, "nowhere.invalid", "check", "--probe", nameless)
	wantCommand(t, 2, "did you mean health?", "check", typo)
	wantCommand(t, 2, "did you mean health?", "check", "--probe", typo)
	wantCommand(t, 2, "missing.yaml", "check", filepath.Join(dir, "missing.yaml"))
	wantCommand(t, 2, "did you mean health?", "run", "--config", typo)
	wantCommand(t, 2, "arg", "check")
}

func TestCommands(t *testing.T) {
	t.Parallel()
	wantCommand(t, 0, "goodgate ", "version")
	wantCommand(t, 0, "check ", "--help")
	wantCommand(t, 0, "--listen", "run", "--help")
	wantCommand(t, 0, "complete -o", "completion", "bash")
	wantCommand(t, 2, "--lisen", "run", "--lisen", ":8080")
	wantCommand(t, 2, "chek", "chek")
	wantCommand(t, 2, "config", "run")
	wantCommand(t, 2, "to", "run", "--listen", ":0")
	wantCommand(t, 2, "config", "run", "--config", "a.yaml", "--to", "http://127.0.0.1:3000")
	wantCommand(t, 2, "write http://localhost:3000", "run", "--listen", "127.0.0.1:0", "--to", "localhost:3000")

	schema, _, code := command(t, "", "schema")
	var s struct {
		Schema     string         `json:"$schema"`
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal([]byte(schema), &s); err != nil || code != 0 {
		t.Fatalf("schema: exit code %d, %v\n%s", code, err, schema)
	}
	if s.Schema == "" || s.Properties["pools"] == nil {
		t.Errorf("schema: $schema %q, want it and the property pools", s.Schema)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "go")
	config := `
listeners: ["${LISTEN}"]
via: "${VIA:-fallback}"
pools:
  app: {upstreams: ["${UPSTREAM}"]}
`
	g := startGate(t, config, "UPSTREAM="+a.url())
	if got := ask(t, g.address, "GET", "/").echo(t).Headers["via"]; got != "1.1 fallback" {
		t.Errorf("Via %q, want that of the default", got)
	}
	g = startGate(t, config, "UPSTREAM="+a.url(), "VIA=edge")
	if got := ask(t, g.address, "GET", "/").echo(t).Headers["via"]; got != "1.1 edge" {
		t.Errorf("Via %q, want that of the environment", got)
	}
	wantCommand(t, 2, "environment variable LISTEN is not set", "check", writeFile(t, t.TempDir(), "c.yaml", config))
}
