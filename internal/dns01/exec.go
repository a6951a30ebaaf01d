package dns01

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxOutput = 2048            // bytes of a program's output in an error
	killGrace = 2 * time.Second // for a killed program's output to end
)

// Exec configures a program that publishes records. It is called with "present" or
// "cleanup", the record's name with a dot at its end, and its value, as lego's exec
// provider does.
type Exec struct {
	Command []string          // the program and its first arguments
	Env     map[string]string // added to the environment of this process
	Timeout time.Duration     // for one call
}

// runner runs the program.
type runner struct {
	Exec
	log *slog.Logger
}

func newRunner(e Exec, log *slog.Logger) (*runner, error) {
	if len(e.Command) == 0 {
		return nil, errors.New("exec: no command")
	}
	return &runner{e, log}, nil
}

func (r *runner) serial() bool { return true }

func (r *runner) present(ctx context.Context, rec record) error { return r.run(ctx, "present", rec) }

func (r *runner) remove(ctx context.Context, rec record) error { return r.run(ctx, "cleanup", rec) }

// run calls the program. It kills the program's children as well if it takes too long.
func (r *runner) run(ctx context.Context, action string, rec record) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	args := append(slices.Clone(r.Command[1:]), action, rec.name, rec.value)
	cmd := exec.CommandContext(ctx, r.Command[0], args...)
	cmd.Env = os.Environ()
	for _, name := range slices.Sorted(maps.Keys(r.Env)) {
		cmd.Env = append(cmd.Env, name+"="+r.Env[name])
	}
	cmd.Env = append(cmd.Env, "GOODGATE_DOMAIN="+rec.domain)
	out := &tail{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, killGrace
	ownGroup(cmd)
	err := cmd.Run()
	text := r.redacted(out.String())
	if err == nil || errors.Is(err, exec.ErrWaitDelay) { // a child that goes on in the background is no failure
		r.log.Debug("program for challenge records", "program", r.Command[0], "action", action, "record", rec.name, "output", text)
		return nil
	}
	why := fmt.Sprintf("the program of acme.dns.exec failed to %s %s", action, rec.name)
	if ctx.Err() != nil {
		why = fmt.Sprintf("the program of acme.dns.exec did not end within %v", r.Timeout)
	}
	if text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return &Error{why, "run it by hand as the user of goodgate, with " + strings.Join([]string{action, rec.name, rec.value}, " "), err}
}

// redacted removes the values of the environment from the program's output, which may be
// secrets.
func (r *runner) redacted(text string) string {
	for _, v := range r.Env {
		if len(v) >= 4 {
			text = strings.ReplaceAll(text, v, "***")
		}
	}
	return text
}

// tail keeps the end of what is written.
type tail struct {
	mu  sync.Mutex // protects buf
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - maxOutput; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(bytes.TrimSpace(t.buf), []byte("?")))
}
