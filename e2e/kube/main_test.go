// Package kube_test runs the built goodgate against a real kube-apiserver, which it
// builds from its module, and Debian's etcd. It is started by hand, as root on Linux:
//
//	cd e2e/kube && go test -timeout 1h -v .
//
// Building the kube-apiserver can take half an hour on two busy cores, the tests five
// minutes.
//
// Kubernetes accepts no loopback addresses for endpoints. So the tests run in a
// separate network namespace, in which 10.77.0.0/24 and fd77::/64 are this machine.
package kube_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inside names the folder of the programs, for the process in the network namespace.
const inside = "GOODGATE_KUBE_INSIDE"

// built has the programs. Only TestMain writes it.
var built struct{ goodgate, apiserver string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(inside) == "" {
		return runInside()
	}
	for _, args := range []string{"link set lo up", "route add local 10.77.0.0/24 dev lo", "-6 addr add fd77::1/64 dev lo nodad"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "ip %s: %v\n%s", args, err, out)
			return 1
		}
	}
	built.goodgate = filepath.Join(os.Getenv(inside), "goodgate")
	built.apiserver = filepath.Join(os.Getenv(inside), "kube-apiserver")
	return m.Run()
}

// runInside builds the programs and runs the tests.
func runInside() int {
	dir, err := os.MkdirTemp("", "goodgate-kube-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "goodgate"), "./cmd/goodgate")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building goodgate: %v\n%s", err, out)
		return 1
	}
	tool := exec.Command("go", "tool", "-n", "kube-apiserver") // builds it, and says where it is
	tool.Stderr = os.Stderr
	where, err := tool.Output()
	if err == nil {
		err = os.Symlink(string(bytes.TrimSpace(where)), filepath.Join(dir, "kube-apiserver"))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the kube-apiserver: %v\n", err)
		return 1
	}
	tests := exec.Command("unshare", append([]string{"--net", os.Args[0]}, os.Args[1:]...)...)
	tests.Env = append(os.Environ(), inside+"="+dir)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	if err := tests.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
