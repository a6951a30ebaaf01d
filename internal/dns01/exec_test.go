//go:build unix

package dns01

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newProgram returns a publisher with a program, a shell script, and the file $OUT.
func newProgram(t *testing.T, script string) (*Publisher, string) {
	t.Helper()
	dir := t.TempDir()
	program, out := filepath.Join(dir, "hook"), filepath.Join(dir, "out")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Log: slog.New(slog.DiscardHandler), Exec: &Exec{
		Command: []string{program, "--zone", "a b;$(c)"}, Env: map[string]string{"OUT": out, "TOKEN": "s3cret-token"}, Timeout: 10 * time.Second,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p, out
}

func TestExec(t *testing.T) {
	p, out := newProgram(t, `for a; do printf '[%s]' "$a"; done >> "$OUT"; echo " $TOKEN $GOODGATE_DOMAIN" >> "$OUT"`)
	remove, err := p.Publish(t.Context(), "example.com", "-the-value")
	if err != nil {
		t.Fatal(err)
	}
	remove()
	got, _ := os.ReadFile(out)
	want := "[--zone][a b;$(c)][present][_acme-challenge.example.com.][-the-value] s3cret-token example.com\n" +
		"[--zone][a b;$(c)][cleanup][_acme-challenge.example.com.][-the-value] s3cret-token example.com\n"
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestExecFails(t *testing.T) {
	p, out := newProgram(t, `echo "$3" >> "$OUT"; [ "$3" = cleanup ] && exit 0
head -c 100000 /dev/zero | tr '\0' x; echo; echo "no such zone, token $TOKEN" >&2; exit 3`)
	_, err := p.Publish(t.Context(), "example.com", "v")
	e, ok := errors.AsType[*Error](err)
	if !ok || !strings.Contains(e.Why, "failed to present _acme-challenge.example.com.") || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such zone, token ***") {
		t.Errorf("got %.300v", err)
	}
	if n := len(err.Error()); n > maxOutput+500 {
		t.Errorf("the error has %d bytes", n)
	}
	if got, _ := os.ReadFile(out); string(got) != "present\ncleanup\n" {
		t.Errorf("called with %q", got)
	}
	p.opts.Exec.Command = []string{"/does/not/exist"}
	if p, err = New(p.opts); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Publish(t.Context(), "example.com", "v"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: got %v", err)
	}
}

// The program and its children end when the time is up.
func TestExecHangs(t *testing.T) {
	p, out := newProgram(t, `[ "$3" = cleanup ] && exit 0; echo $$ > "$OUT"; sleep 600 & echo waits; wait`)
	p.provider.(*runner).Timeout = 300 * time.Millisecond
	_, err := p.Publish(t.Context(), "example.com", "v")
	if err == nil || !strings.Contains(err.Error(), "did not end within 300ms") || !strings.Contains(err.Error(), "waits") {
		t.Errorf("got %v", err)
	}
	if pid, _ := os.ReadFile(out); len(pid) == 0 {
		t.Error("the program did not run")
	}
}

// Two orders for one name take turns, because a program may keep one value only.
func TestExecTakesTurns(t *testing.T) {
	p, out := newProgram(t, `echo "$3 $5" >> "$OUT"`)
	remove, err := p.Publish(t.Context(), "example.com", "one")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Publish(ctx, "example.com", "never"); !errors.Is(err, context.Canceled) {
		t.Errorf("beside another order: got %v", err)
	}
	done := make(chan error, 1)
	go func() {
		remove, err := p.Publish(t.Context(), "example.com", "two")
		if err == nil {
			remove()
		}
		done <- err
	}()
	remove()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); string(got) != "present one\ncleanup one\npresent two\ncleanup two\n" {
		t.Errorf("got %q", got)
	}
}
