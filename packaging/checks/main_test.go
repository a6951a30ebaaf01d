package checks

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	dist  = flag.String("dist", "../../dist", "folder with the release to check")
	next  = flag.String("next", "", "folder with a later version, to upgrade to (default the same packages under a higher number)")
	lower = flag.String("lower", "/", "root of a Debian system to install into; it is not changed")
)

// isolated is set in the process with separate namespaces.
const isolated = "GOODGATE_CHECKS_ISOLATED"

// TestMain runs the tests in separate namespaces, if the user is allowed to create
// them. So their ports, mounts and processes are not visible outside, and none remains.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(isolated) != "" || runtime.GOOS != "linux" || os.Getuid() != 0 {
		os.Exit(m.Run())
	}
	c := exec.Command("unshare", append([]string{"--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", os.Args[0]}, os.Args[1:]...)...)
	c.Env = append(os.Environ(), isolated+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		if c.ProcessState == nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

// needIsolation skips a test outside of separate namespaces, and inside brings up the
// loopback interface.
func needIsolation(t *testing.T) {
	t.Helper()
	if os.Getenv(isolated) == "" {
		t.Skip("needs root on Linux")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// released returns the only file of the release that matches a pattern.
func released(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s has %v for %s, %v; want one file", folder, found, pattern, err)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// need skips a test when a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s", p)
		}
	}
}

// output runs a program to its end, and returns its output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
