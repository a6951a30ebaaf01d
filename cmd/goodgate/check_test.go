package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// checked runs check, and wants everything on standard output.
func checked(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(append([]string{"check"}, args...), &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("check %q wrote to standard error: %s", args, &stderr)
	}
	return stdout.String(), code
}

func configuration(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "g.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCheckPrints: a line for each error and warning with its source below, the
// verdict at the end, all on one stream.
func TestCheckPrints(t *testing.T) {
	t.Parallel()
	const indented = "listeners: [\":8080\"]\npools:\n  app:\n    policy: hash\n   upstreams: [\"http://127.0.0.1:3000\"]\n"
	file := configuration(t, indented)
	out, code := checked(t, file)
	want := "error: " + file + ":5:4: not valid YAML: line 5 is indented by 3, its siblings by 4\n" +
		"    5 |    upstreams: [\"http://127.0.0.1:3000\"]\n" +
		"      |    ^^^^^^^^^\n" +
		file + ": bad: 1 error, 0 warnings\n"
	if out != want || code != exitUsage {
		t.Errorf("exit code %d, got\n%s\nwant\n%s", code, out, want)
	}
	for _, c := range []struct {
		file  string
		code  int
		lines int // that begin with error: or warning:
		last  string
	}{
		{"/dev/null", exitUsage, 1, "/dev/null: bad: 1 error, 0 warnings"},
		{"/none/at/all", exitUsage, 1, "/none/at/all: bad: 1 error, 0 warnings"},
		{configuration(t, "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://127.0.0.1:3000\"]}}\n"), exitOK, 0, "good: 1 listener, 1 route, 1 pool, 0 warnings"},
		{configuration(t, "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://127.0.0.1:3000\"], hash: {on: path}}}\n"), exitOK, 1, "good: 1 listener, 1 route, 1 pool, 1 warning"},
		{configuration(t, "listeners: [\":8080\"]\npools: {app: {upstreams: [\"https://127.0.0.1:3000\"], tls: {ca: none, cert: none, key: none}}}\n"), exitUsage, 3, "bad: 3 errors, 0 warnings"},
	} {
		out, code := checked(t, c.file)
		lines := strings.Count("\n"+out, "\nerror: ") + strings.Count("\n"+out, "\nwarning: ")
		if code != c.code || lines != c.lines || !strings.HasSuffix(out, c.last+"\n") {
			t.Errorf("exit code %d, want %d; %d errors and warnings, want %d; want %q at the end of\n%s", code, c.code, lines, c.lines, c.last, out)
		}
	}
}

// TestCheckJSON: the same as an object, without the source.
func TestCheckJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.NewAuthority(t, "authority")
	cert, _ := ca.Files(dir, "one", ca.Issue("one.example"))
	_, other := ca.Files(dir, "two", ca.Issue("two.example"))
	file := configuration(t, "listeners: [{address: \":8443\", tls: {certificates: [{cert: "+cert+", key: "+other+"}]}}]\npools: {app: {upstreams: [\"http://127.0.0.1:3000\"], retries: 3}}\n")
	out, code := checked(t, "-o", "json", file)
	var v verdict
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitUsage || v.Good || len(v.Errors) != 1 || v.Errors[0].Key != "pools.app.retries" || v.Errors[0].Line != 2 {
		t.Errorf("exit code %d, %v: %+v", code, err, v)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	file = configuration(t, strings.Replace(string(text), ", retries: 3", "", 1))
	out, code = checked(t, "--output=json", file)
	v = verdict{}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitUsage || len(v.Errors) != 1 ||
		v.Errors[0].Key != "listeners[0].tls.certificates[0].key" || !strings.Contains(v.Errors[0].Message, "private key does not match") {
		t.Errorf("exit code %d, %v: %+v", code, err, v)
	}
	file = configuration(t, strings.ReplaceAll(strings.Replace(string(text), ", retries: 3", "", 1), other, strings.Replace(cert, ".pem", ".key", 1)))
	out, code = checked(t, "-o", "json", file)
	v = verdict{}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitOK || !v.Good || v.Listeners != 1 || v.Pools != 1 || v.Errors == nil || v.Warnings == nil {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "-o", "yaml", file}, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "expected text or json") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}
