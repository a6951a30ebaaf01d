package handover

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain is the child of the tests: it does as its first argument says.
func TestMain(m *testing.M) {
	if os.Getenv(variable) == "" {
		os.Exit(m.Run())
	}
	b, err := Receive()
	if err != nil {
		os.Exit(1)
	}
	switch os.Args[1] {
	case "fail":
		os.Exit(7)
	case "sleep":
		time.Sleep(time.Hour)
	}
	l := b.Take("a")
	b.Ready()
	c, err := l.Accept()
	if err != nil {
		os.Exit(1)
	}
	c.Write(b.Known)
	c.Close()
	l.Close()
	os.Exit(0)
}

func program(t *testing.T, does string, wait time.Duration) Program {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Program{Path: path, Args: []string{does}, Wait: wait}
}

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

func TestHandOver(t *testing.T) {
	l, path := listen(t)
	other, _ := listen(t)
	b := Bundle{Sockets: []Socket{{"other", other}, {"a", l}}, Known: []byte(`"what is known"`)}
	pid, err := program(t, "serve", 10*time.Second).Start(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if pid <= 1 {
		t.Errorf("the child's id is said to be %d", pid)
	}
	l.Close() // which leaves the socket's file to the child
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, 64)
	n, err := c.Read(got)
	if string(got[:n]) != `"what is known"` {
		t.Errorf("the child says %q, %v", got[:n], err)
	}
}

func TestChildThatDoesNotServe(t *testing.T) {
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("a test has ended it"))
	for _, test := range []struct {
		does string
		ctx  context.Context
		wait time.Duration
		want string
	}{
		{"fail", t.Context(), 10 * time.Second, "exit status 7"},
		{"sleep", t.Context(), 300 * time.Millisecond, "not ready within 300ms"},
		{"sleep", stopped, time.Hour, "a test has ended it"},
	} {
		does, want := test.does, test.want
		l, path := listen(t)
		_, err := program(t, does, test.wait).Start(test.ctx, Bundle{Sockets: []Socket{{"a", l}}, Known: []byte("1")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", does, err, want)
		}
		l.(*net.UnixListener).SetDeadline(time.Now().Add(10 * time.Second))
		go net.Dial("unix", path)
		if c, err := l.Accept(); err != nil { // it still accepts, and still obeys its deadline
			t.Errorf("%s: the socket does not serve any more: %v", does, err)
		} else {
			c.Close()
		}
		l.Close()
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: the socket's file stays", does)
		}
	}
}

func TestNothingLeft(t *testing.T) {
	b, err := Receive()
	if b != nil || err != nil || b.Take("a") != nil || b.Ready() != nil {
		t.Errorf("got %v, %v", b, err)
	}
}
