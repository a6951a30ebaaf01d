package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
)

// changing is a goodgate whose operators change it, over several processes.
type changing struct {
	t        *testing.T
	dir      string
	upstream []string
	listen   string
	process  *process
}

// newChanging writes the configuration, and starts no process yet.
func newChanging(t *testing.T) *changing {
	t.Helper()
	c := &changing{t: t, dir: t.TempDir(), listen: freeAddress(t)}
	for _, name := range []string{"a", "b"} {
		c.upstream = append(c.upstream, startApp(t, "go", name).address)
	}
	c.configure(fmt.Sprintf("%q, %q", "http://"+c.upstream[0], "http://"+c.upstream[1]))
	return c
}

func (c *changing) configure(entries string) {
	writeFile(c.t, c.dir, "goodgate.yaml", fmt.Sprintf("listeners: [%q]\nadmin: {address: \"unix:%s/admin\"}\nstate: {file: state/state.json}\nshutdown: {lame_duck: 0s, grace: 0s}\npools: {app: {policy: first, health: {type: none}, upstreams: [%s]}}\n",
		c.listen, c.dir, entries))
}

// start starts goodgate from a shell, which first runs the command in before.
func (c *changing) start(before string) {
	c.t.Helper()
	c.process = startProcess(c.t, "goodgate", nil, "sh", "-c", fmt.Sprintf("cd %s; %s exec %s run -c goodgate.yaml", c.dir, before, built.goodgate))
	(&gate{process: c.process, address: c.listen}).ready("tcp", c.listen)
}

// restart ends the process by a signal and starts another.
func (c *changing) restart(s syscall.Signal) {
	c.t.Helper()
	c.process.signal(s)
	if s != syscall.SIGKILL {
		c.process.hurry()
	}
	c.process.wait()
	c.start("")
}

// run runs a command for operators, and returns its output on both streams.
func (c *changing) run(args ...string) string {
	c.t.Helper()
	stdout, stderr, code := c.try(args...)
	if code != 0 {
		c.t.Fatalf("goodgate %v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout + stderr
}

func (c *changing) try(args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	cmd := exec.Command(built.goodgate, append(args, "--admin", "unix:"+c.dir+"/admin")...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		c.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// look returns the upstreams with their weight and state, and how many changes there are.
func (c *changing) look() string {
	c.t.Helper()
	var s admin.Status
	if err := json.Unmarshal([]byte(c.run("status", "-o", "json")), &s); err != nil {
		c.t.Fatal(err)
	}
	var list []string
	for _, u := range s.Pools[0].Upstreams {
		name := u.Address
		for i, address := range c.upstream {
			name = strings.Replace(name, address, string(rune('a'+i)), 1)
		}
		list = append(list, fmt.Sprint(name, " ", u.Weight, " ", u.Operator))
	}
	return fmt.Sprint(strings.Join(list, ", "), "; ", len(s.Changes))
}

func (c *changing) want(when, want string) {
	c.t.Helper()
	if got := c.look(); got != want {
		c.t.Errorf("%s: got %s, want %s", when, got, want)
	}
}

// Operators' changes survive any end of the process, until the file has another value
// for the same setting.
func TestChangesSurviveRestart(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	c.start("")
	c.run("drain", c.upstream[1], "--why", "patch day")
	c.run("upstream", "set", c.upstream[0], "--weight", "7")
	c.run("upstream", "add", "app", "127.0.0.1:9", "--for", "1h")
	const changed = "a 7 ready, b 1 drain, 127.0.0.1:9 1 ready; 3"
	c.want("at once", changed)
	c.restart(syscall.SIGTERM)
	c.want("after a restart", changed)
	c.run("upstream", "remove", "127.0.0.1:9")
	c.restart(syscall.SIGKILL)
	c.want("after kill -9 right behind the answer", "a 7 ready, b 1 drain; 2")

	pid := c.process.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGUSR2)
	waitFor(t, "another process to answer", func() bool {
		var s admin.Status
		stdout, _, code := c.try("status", "-o", "json")
		return code == 0 && json.Unmarshal([]byte(stdout), &s) == nil && s.PID != pid
	})
	c.want("after an upgrade", "a 7 ready, b 1 drain; 2")

	c.configure(fmt.Sprintf("{url: %q, weight: 3}, %q", "http://"+c.upstream[0], "http://"+c.upstream[1]))
	c.run("reload")
	c.want("after a reload with another weight", "a 3 ready, b 1 drain; 1")
	if got := c.run("changes"); !strings.Contains(got, "is drained") || !strings.Contains(got, "patch day") || !strings.Contains(got, "local (uid") {
		t.Errorf("changes: %s", got)
	}
}

// goodgate starts with a broken state file, and an operator can drain an upstream.
func TestStateFileErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, before string }{
		{"broken", `mkdir -p state; printf '{"version":1,"chan' >state/state.json;`},
		{"read-only", "mkdir -p state; chmod 500 state;"},
		{"full", "mkdir -p state; ulimit -f 0;"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.name == "read-only" && os.Getuid() == 0 {
				t.Skip("the superuser writes everywhere")
			}
			c := newChanging(t)
			c.start(tc.before)
			said := c.run("drain", c.upstream[1])
			c.want("drained", "a 1 ready, b 1 drain; 1")
			if lost := strings.Contains(said, "a restart undoes this change"); lost != (tc.name != "broken") {
				t.Errorf("drain says %s", said)
			}
			waitFor(t, "an error in the log", func() bool { return strings.Contains(c.process.out.String(), `"level":"ERROR"`) })
			aside, _ := filepath.Glob(filepath.Join(c.dir, "state", "*.broken-*"))
			if (len(aside) == 1) != (tc.name == "broken") {
				t.Errorf("set aside: %q", aside)
			}
		})
	}
}

// A change that expires while goodgate is not running is gone at the start, and a
// change that expires later ends by itself.
func TestChangeEndsDuringDowntime(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	c.start("")
	c.run("drain", c.upstream[1], "--for", "100ms")
	waitFor(t, "the change to end", func() bool { return c.look() == "a 1 ready, b 1 ready; 0" })
	c.run("drain", c.upstream[1], "--for", "4s")
	c.process.kill()
	var kept struct{ Changes []struct{ Until time.Time } }
	text, err := os.ReadFile(filepath.Join(c.dir, "state", "state.json"))
	if err != nil || json.Unmarshal(text, &kept) != nil || len(kept.Changes) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	waitFor(t, "its time to pass", func() bool { return time.Now().After(kept.Changes[0].Until) })
	c.start("")
	c.want("after its time", "a 1 ready, b 1 ready; 0")
	waitFor(t, "the log to tell that it has ended", func() bool { return strings.Contains(c.process.out.String(), `"what":"expired"`) })
}
