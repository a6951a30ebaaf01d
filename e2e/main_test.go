// Package e2e_test runs the built program as its user would: as a process,
// with a configuration file, a real nginx in front and real application
// servers in Node, Python and Go behind it.
//
// A test that needs nginx, node, python3, prometheus or chromium is skipped if the program
// is missing. With GOODGATE_E2E=all it fails instead.
package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaries are the programs built once for all tests.
type binaries struct{ goodgate, app string }

// built is written by TestMain only.
var built binaries

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "4") // most of the time the tests wait for programs; an argument overrides this
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "goodgate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = binaries{goodgate: filepath.Join(dir, "goodgate"), app: filepath.Join(dir, "app")}
	builds := [][]string{
		{"-o", built.goodgate, "../cmd/goodgate"},
		{"-o", built.app, filepath.Join("testdata", "apps", "app.go")},
	}
	if raceEnabled { // the program is built like the tests
		builds[0] = append([]string{"-race"}, builds[0]...)
		// Otherwise each process with the race detector sleeps for a second when it exits.
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	}
	for _, args := range builds {
		if out, err := exec.Command("go", append([]string{"build"}, args...)...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build %v: %v\n%s", args, err, out)
			return 1
		}
	}
	return m.Run()
}

// need finds a tool the test cannot do without.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		lack(t, "%s is not installed", tool)
	}
	return path
}

// lack skips a test that the machine cannot run, or fails it where everything
// has to run.
func lack(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("GOODGATE_E2E") == "all" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format+" (GOODGATE_E2E=all makes this a failure)", args...)
}
