package e2e_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	wantCommand(t, 1, fmt.Sprintf("--listen: %s is in use by e2e.test (pid %d)", ln.Addr(), os.Getpid()),
		"run", "--listen", ln.Addr().String(), "--to", "http://127.0.0.1:3000")
}

// runOnSocket runs goodgate on a unix socket.
func runOnSocket(t *testing.T, path, rest string) *gate {
	t.Helper()
	a := startApp(t, "go", "go")
	file := writeFile(t, t.TempDir(), "goodgate.yaml",
		"listeners: [{address: \"unix:"+path+"\""+rest+"}]\npools: {app: {upstreams: [\""+a.url()+"\"]}}\n")
	g := &gate{address: "unix:" + path}
	g.process = startProcess(t, "goodgate", nil, built.goodgate, "run", "--config", file)
	g.ready("unix", path)
	return g
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rest string
		want       fs.FileMode
	}{
		{"default", "", 0o660},
		{"given", `, mode: "0600"`, 0o600},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "gate.sock")
			g := runOnSocket(t, path, test.rest)
			e := ask(t, g.address, "GET", "/", "X-Forwarded-For: 192.0.2.1").echo(t)
			if got := e.Headers["x-forwarded-for"]; got != "192.0.2.1" {
				t.Errorf("X-Forwarded-For %q, want the word of the peer on the socket", got)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != test.want {
				t.Errorf("mode %#o, want %#o", got, test.want)
			}
			g.finish()
			if _, err := os.Lstat(path); err == nil {
				t.Error("the socket is still there after the end")
			}
		})
	}
}

// The socket of a killed process is no obstacle.
func TestStaleUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gate.sock")
	runOnSocket(t, path, "").kill()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the killed process left no socket: the test would test nothing: %v", err)
	}
	g := runOnSocket(t, path, "")
	ask(t, g.address, "GET", "/").echo(t)
}

// A file or socket of another program stays untouched.
func TestUnixSocketInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gate.sock")
	g := runOnSocket(t, path, "")
	wantCommand(t, 1, path+" is in use", "run", "--listen", "unix:"+path, "--to", "http://127.0.0.1:3000")
	ask(t, g.address, "GET", "/").echo(t)

	file := writeFile(t, dir, "data", "precious")
	wantCommand(t, 1, "is not a socket", "run", "--listen", "unix:"+file, "--to", "http://127.0.0.1:3000")
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file in the socket's place: %q, %v, want it untouched", b, err)
	}
}
