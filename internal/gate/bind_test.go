package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
)

// TestBindErrors checks that each error has the next step, and none of package net's
// words.
func TestBindErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	dir := t.TempDir()
	socket, err := net.Listen("unix", filepath.Join(dir, "taken"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	by := fmt.Sprintf("is in use by gate.test (pid %d)", os.Getpid())
	for address, want := range map[string]string{
		taken.Addr().String():    by,
		":" + port:               by,
		"198.51.100.7:80":        "not an address of this machine; it has 127.0.0.1",
		"nowhere.invalid:80":     "the name cannot be looked up",
		"unix:" + dir + "/taken": "is in use: another process answers on it",
		"unix:" + dir + "/file":  "it is not a socket",
		"unix:" + dir + "/a/b":   "there is no folder " + dir + "/a: create it",
	} {
		_, err := bind(t.Context(), config.Listener{Address: address, Mode: 0o600})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: got %v, want %q in it", address, err, want)
		} else if strings.Contains(err.Error(), "listen tcp") || strings.Contains(err.Error(), "bind:") {
			t.Errorf("%s: %v has words of package net", address, err)
		}
	}
}

// TestBindAdvice covers errors that not every test can cause.
func TestBindAdvice(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		network, address string
		err              error
		want             []string
	}{
		{"tcp", ":80", syscall.EACCES, []string{"setcap cap_net_bind_service=+ep ", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "ip_unprivileged_port_start=80"}},
		{"tcp", "[::1]:443", syscall.EACCES, []string{"ip_unprivileged_port_start=443"}},
		{"tcp", "127.0.0.1:8080", syscall.EACCES, []string{"permission denied", "SELinux"}},
		{"udp", ":443", syscall.EADDRINUSE, []string{"ss -lunp"}},
		{"udp", ":443", syscall.EACCES, []string{"setcap"}},
		{"tcp", ":8080", syscall.EMFILE, []string{"too many open files", "LimitNOFILE", "ulimit -n"}},
		{"tcp", "[::1]:80", syscall.EAFNOSUPPORT, []string{"IPv6"}},
		{"tcp", ":8080", syscall.ENFILE, []string{"fs.file-max"}},
		{"unix", "/run/x/s", syscall.EACCES, []string{"unix:/run/x/s", fmt.Sprintf("uid %d", os.Getuid()), "/run/x"}},
		{"unix", "/" + strings.Repeat("x", 200), syscall.EINVAL, []string{"201 bytes", "107"}},
		{"tcp", ":8080", errors.New("odd"), []string{"odd"}},
	} {
		wrapped := &net.OpError{Op: "listen", Net: test.network, Err: os.NewSyscallError("bind", test.err)}
		got := (&bindError{test.network, test.address, wrapped}).Error()
		if strings.Contains(got, "\n") {
			t.Errorf("%q is no line of a log", got)
		}
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s, %v: got %q, want %q in it", test.network, test.address, test.err, got, want)
			}
		}
		if errors.Is(test.err, syscall.EACCES) && !errors.Is(&bindError{err: wrapped}, fs.ErrPermission) {
			t.Error("the cause is lost")
		}
	}
}

// TestAdminSpares: an address that is taken is not worth a failed start.
func TestAdminSpares(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir, in := t.TempDir(), taken.Addr().String()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	spare := free.Addr().String()
	yaml := "listeners: [\"unix:" + dir + "/%s\"]\nadmin: \"" + in + "\"\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}"

	g := start(t, parse(t, fmt.Sprintf(yaml, "one")), Options{AdminSpares: []string{in, spare}})
	var s admin.Status
	if err := (admin.Client{Address: spare}).Get(t.Context(), "/v1/status", &s); err != nil || g.gate.AdminAddress() != spare {
		t.Errorf("the spare address: %v; it says %q", err, g.gate.AdminAddress())
	}
	g = start(t, parse(t, fmt.Sprintf(yaml, "two")), Options{AdminSpares: []string{in, spare}})
	if got := g.gate.AdminAddress(); got != "" {
		t.Errorf("every address is taken, and it says %q", got)
	}
	other, err := New(parse(t, fmt.Sprintf(yaml, "three")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), in) || !strings.Contains(err.Error(), "admin.address") {
		t.Errorf("without spare addresses: got %v", err)
	}
}

// TestReloadWithoutFile is no failed reload: the configuration in use is all right.
func TestReloadWithoutFile(t *testing.T) {
	t.Parallel()
	g := start(t, parse(t, "listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}"), Options{})
	if _, err := g.gate.Reread("a test"); !errors.Is(err, errNoFile) {
		t.Errorf("got %v", err)
	}
	if state := g.gate.ConfigState(); state.Error != "" {
		t.Errorf("the status says that a reload failed: %s", state.Error)
	}
}
