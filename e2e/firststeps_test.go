package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// adminOf returns the address of the admin listener that a goodgate has logged.
func (g *gate) adminOf(t *testing.T) string {
	t.Helper()
	var address string
	waitFor(t, "the admin API", func() bool {
		for line := range strings.Lines(g.out.String()) {
			var e struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &e) == nil && e.Msg == "admin API" {
				address = e.Address
			}
		}
		return address != ""
	})
	return address
}

// Without a file there is an operator's API as well, and a second goodgate on the
// machine takes another address instead of failing. It stays where it is when the
// program is replaced.
func TestFirstSteps(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	one, two := startSidecar(t, a.url()), startSidecar(t, a.url())
	first, second := one.adminOf(t), two.adminOf(t)
	if first == second {
		t.Fatalf("both are at %s", first)
	}
	for _, address := range []string{first, second} {
		if host, _, _ := net.SplitHostPort(address); host != "127.0.0.1" {
			t.Errorf("the API is at %s", address)
		}
		if got := one.command(t, "status", "--admin", address); !strings.Contains(got, a.address) {
			t.Errorf("status of %s: %s", address, got)
		}
		if got := one.command(t, "drain", a.url()+"/", "--admin", "http://"+address+"/"); !strings.Contains(got, "0 of 1 left") {
			t.Errorf("drain: %s", got)
		}
		one.command(t, "on", a.address, "--admin", address)
	}
	wantCommand(t, 2, "goodgates answer on this machine: say which by --admin", "status")
	wantCommand(t, 1, "there is no configuration file to read again", "reload", "--admin", second)
	if got := one.command(t, "status", "--admin", second); strings.Contains(got, "reload failed") {
		t.Errorf("status after a reload without a file: %s", got)
	}

	two.signal(syscall.SIGUSR2)
	waitFor(t, "the new process", func() bool { return strings.Count(two.out.String(), `"msg":"serving"`) == 2 })
	var s struct{ PID int }
	if err := json.Unmarshal([]byte(two.command(t, "status", "--admin", second, "-o", "json")), &s); err != nil || s.PID == two.cmd.Process.Pid {
		t.Errorf("process %d answers at %s after the upgrade, %v", s.PID, second, err)
	}
	syscall.Kill(s.PID, syscall.SIGKILL)
	one.finish()
}

// The admin listener of a goodgate without a file: where one says, behind a token, or
// not at all.
func TestAdminFlag(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	run := func(env []string, args ...string) *gate {
		g := &gate{address: freeAddress(t)}
		argv := append([]string{built.goodgate, "run", "--listen", g.address, "--to", a.url()}, args...)
		g.process = startProcess(t, "goodgate", env, argv...)
		g.dull = isPlain
		g.ready("tcp", g.address)
		return g
	}
	off := run(nil, "--admin", "off")
	if strings.Contains(off.out.String(), "admin API") {
		t.Error("off has an admin API")
	}
	address := freeAddress(t)
	locked := run([]string{"GOODGATE_TOKEN=0123456789abcdef"}, "--admin", address)
	if got := locked.adminOf(t); got != address {
		t.Errorf("the API is at %s, want %s", got, address)
	}
	wantCommand(t, 1, "token", "status", "--admin", address)
	wantCommand(t, 1, "is in use by goodgate (pid ", "run", "--listen", "127.0.0.1:0", "--to", a.url(), "--admin", address)
	wantCommand(t, 1, "no goodgate answers at "+freeAddress(t)[:10], "status", "--admin", freeAddress(t))
}

// terminal opens a pseudo terminal and returns its two ends.
func terminal(t *testing.T) (control, tty *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { control.Close() })
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return control, tty
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// onTerminal starts goodgate with a terminal, and returns what it writes there and
// what is typed.
func onTerminal(t *testing.T, env []string, args ...string) (*output, *os.File, *exec.Cmd) {
	t.Helper()
	control, tty := terminal(t)
	c := exec.Command(built.goodgate, args...)
	c.Env = append(append(os.Environ(), "TERM=xterm"), env...)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	var out output
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&out, control)
	}()
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		control.Close()
		<-read
		if t.Failed() {
			t.Logf("on the terminal:\n%s", out.String())
		}
	})
	return &out, control, c
}

// On a terminal the log is for people, in colours unless NO_COLOR says no; --log-format
// and a pipe make it JSON.
func TestLogOnTerminal(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	address, admin := freeAddress(t), freeAddress(t)
	out, _, _ := onTerminal(t, nil, "run", "--listen", address, "--to", a.url(), "--admin", admin)
	has := func(out *output, what string) func() bool {
		return func() bool { return strings.Contains(escapes.ReplaceAllString(out.String(), ""), what) }
	}
	waitFor(t, "the first line", has(out, "proxying http://"+address+" -> "+a.url()+"; dashboard http://"+admin+"/"))
	waitFor(t, "the upstream", has(out, "upstream available"))
	ask(t, address, "GET", "/page")
	waitFor(t, "the request", has(out, "  200    GET  /page"))
	if text := out.String(); !escapes.MatchString(text) || strings.Contains(text, "{") || strings.Contains(text, "warn") {
		t.Errorf("want colours, no JSON and no warning at a healthy start:\n%s", text)
	}
	out, _, _ = onTerminal(t, []string{"NO_COLOR=1"}, "run", "--listen", freeAddress(t), "--to", a.url())
	waitFor(t, "the first line", has(out, "proxying http://"))
	if escapes.MatchString(out.String()) {
		t.Errorf("colours in spite of NO_COLOR:\n%s", out.String())
	}
	out, _, _ = onTerminal(t, nil, "run", "--listen", freeAddress(t), "--to", a.url(), "--log-format", "json")
	waitFor(t, "JSON", has(out, `"msg":"serving"`))
}

// On a terminal somebody is asked before the last upstream is taken out.
func TestQuestionOnTerminal(t *testing.T) {
	t.Parallel()
	a, b := startApp(t, "go", "a"), startApp(t, "go", "b")
	g := startSidecar(t, a.url(), b.url())
	admin := g.adminOf(t)
	g.command(t, "drain", a.address, "--admin", admin)
	for _, test := range []struct {
		answer string
		code   int
		want   string
	}{
		{"n\n", 1, "nothing was changed"},
		{"\n", 1, "nothing was changed"},
		{"y\n", 0, "off; 0 of 2 left"},
	} {
		out, keys, c := onTerminal(t, nil, "off", b.address, "--admin", admin)
		waitFor(t, "the question", func() bool { return strings.Contains(out.String(), "[y/N]") })
		io.Copy(keys, bytes.NewBufferString(test.answer))
		c.Wait()
		waitFor(t, "the end", func() bool { return strings.Contains(out.String(), test.want) })
		if got := c.ProcessState.ExitCode(); got != test.code {
			t.Errorf("%q: exit code %d, want %d", test.answer, got, test.code)
		}
	}
}
