package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

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

// onTerminal starts goodgate with a terminal, and returns its output and a writer for
// its input.
func onTerminal(t *testing.T, env []string, args ...string) (*logtest.Buffer, *os.File, *exec.Cmd) {
	t.Helper()
	control, tty := terminal(t)
	c := exec.Command(built.goodgate, args...)
	c.Env = append(append(os.Environ(), "TERM=xterm"), env...)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	var out logtest.Buffer
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

// On a terminal the log is for humans, in colours unless NO_COLOR is set. --log-format
// and a pipe select JSON.
func TestLogOnTerminal(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	address, admin := freeAddress(t), freeAddress(t)
	out, _, _ := onTerminal(t, nil, "run", "--listen", address, "--to", a.url(), "--admin", admin)
	has := func(out *logtest.Buffer, what string) func() bool {
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

// On a terminal the operator has to confirm before the last upstream is removed.
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
