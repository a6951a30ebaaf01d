//go:build !minimal

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
)

// strange are names that nothing has, and that would change the path of a request if they
// were not escaped.
var strange = []string{"NOSUCH", "/", ".", "..", "//", "%2F", "%2f", "%", "a/b", "../pools", "?x=1", "#", "a b", "\\", "é"}

// TestUnknownNames: a command with a name that does not exist fails, repeats the name, and
// says what exists.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	o := serving(t)
	up := o.upstreams(t, "app")[0]
	const pools, routes = "The pools are app, one", "The routes are route-1, route-2"
	upstreams := "The upstreams are app/" + up
	for line, want := range map[string]string{
		"split NAME": routes, "split NAME --reset": routes, "split NAME v2=10": routes, "mirror NAME": routes,
		"fault NAME": routes, "fault NAME -o json": routes, "fault NAME --end": routes, "fault NAME --abort 503": routes,
		"deploy NAME --to http://127.0.0.1:1": pools, "deploy NAME --to http://127.0.0.1:1 --dry-run": pools, "deploy NAME --to http://127.0.0.1:1 --restart true": pools,
		"deploy status NAME": pools, "deploy back NAME": pools, "deploy promote NAME": pools,
		"pause NAME": pools, "resume NAME": pools, "maintenance on NAME": pools, "maintenance off NAME": pools,
		"upstream add NAME 127.0.0.1:1": pools, "drain " + up + " --pool NAME": pools, "purge --pool NAME": pools,
		"drain NAME": upstreams, "upstream remove NAME": upstreams,
		"why NAME":          "goodgate status lists the latest",
		"changes undo NAME": "none is in force",
		"config diff NAME":  "goodgate config history lists the versions",
	} {
		for _, name := range strange {
			if want == upstreams && name == "a/b" { // pool a
				continue
			}
			args := strings.Fields(line)
			for i := range args {
				args[i] = strings.Replace(args[i], "NAME", name, 1)
			}
			stdout, stderr, code := command(append(args, "--admin", o.admin)...)
			if code != exitFailed || stdout != "" || !strings.Contains(stderr, want) || !strings.Contains(strings.ReplaceAll(stderr, `\\`, `\`), name) {
				t.Errorf("goodgate %s with %q: exit code %d\nstdout %q\nstderr %q\nwant %q", line, name, code, stdout, stderr, want)
			}
		}
	}
	command("pause", "app", "--admin", o.admin)
	if _, stderr, code := command("changes", "undo", "NOSUCH", "--admin", o.admin); code != exitFailed || !strings.Contains(stderr, `there is no change "NOSUCH". The only change is `) {
		t.Errorf("changes undo with a change in force: exit code %d, stderr %q", code, stderr)
	}
}

// TestEmptyNames: an empty name, such as that of a variable without a value, is a mistake
// on the command line. It never stands for all.
func TestEmptyNames(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"split NAME": "the argument ROUTE is empty", "mirror NAME": "ROUTE", "fault NAME --end": "ROUTE", "why NAME": "REQUEST-ID", "deploy status NAME": "POOL",
		"deploy back NAME": "deploy back: the argument POOL is empty", "pause NAME": "POOL", "resume NAME": "POOL", "maintenance off NAME": "POOL",
		"changes undo NAME": "ID", "drain NAME": "UPSTREAM", "upstream add app NAME": "ADDRESS", "config diff 1 NAME": "B", "split shop NAME": "POOL=WEIGHT", "check NAME": "FILE",
	} {
		args := strings.Fields(line)
		for i := range args {
			args[i] = strings.TrimPrefix(args[i], "NAME")
		}
		if stdout, stderr, code := command(args...); code != exitUsage || stdout != "" || !strings.Contains(stderr, strings.TrimSuffix(want, " is empty")+" is empty") {
			t.Errorf("goodgate %s: exit code %d\nstdout %q\nstderr %q\nwant %q", line, code, stdout, stderr, want)
		}
	}
}

// TestUnreadableFiles: a file on the command line that cannot be read has the exit code of
// a wrong command line, whichever command reads it.
func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := write(t, "good.yaml", "listeners: [\"127.0.0.1:0\"]\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}")
	for _, line := range []string{
		"check FILE", "run --config FILE", "fmt FILE", "fmt --check FILE", "fmt --write FILE", "convert FILE", "diff FILE", "diff FILE " + good, "diff " + good + " FILE",
		"explain -c FILE http://a/", "discover --config FILE", "status --config FILE", "maintenance on app --page FILE", "bench http://127.0.0.1:1 --body FILE",
		"bench compare FILE FILE", "doctor --config FILE", "doctor --nginx FILE", "doctor --haproxy FILE", "doctor --log FILE",
		"doctor --nginx " + write(t, "nginx.conf", "events {}") + " --error-log FILE",
	} {
		for _, file := range []string{filepath.Join(dir, "nope"), dir} {
			stdout, stderr, code := command(strings.Fields(strings.ReplaceAll(line, "FILE", file))...)
			if code != exitUsage || !strings.Contains(stdout+stderr, file) {
				t.Errorf("goodgate %s: exit code %d\nstdout %q\nstderr %q", strings.ReplaceAll(line, "FILE", file), code, stdout, stderr)
			}
		}
	}
}

// TestLargePage: the error has the limit on a page, and not the one on the request.
func TestLargePage(t *testing.T) {
	t.Parallel()
	page := write(t, "page.html", "")
	if err := os.Truncate(page, admin.MaxPage+1); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := command("maintenance", "on", "app", "--page", page); code != exitUsage || !strings.Contains(stderr, "has 262145 bytes: the limit is 262144") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
