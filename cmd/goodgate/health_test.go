package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// adminThat returns the address of an admin listener that answers /ready so; 0 never answers.
func adminThat(t *testing.T, status int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/ready":
			t.Errorf("asked for %s", r.URL.Path)
		case status == 0:
			<-r.Context().Done()
		default:
			http.Error(w, "so it is", status)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// listening returns the address of a listener, and of an unused port.
func listening(t *testing.T) (open, closed string) {
	a, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	b, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	return a.Addr().String(), b.Addr().String()
}

func TestHealth(t *testing.T) {
	well, draining, hangs := adminThat(t, 200), adminThat(t, 503), adminThat(t, 0)
	open, closed := listening(t)
	_, port, _ := net.SplitHostPort(open)
	socket := filepath.Join(t.TempDir(), "s")
	onSocket, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer onSocket.Close()
	file := func(listener, rest string) string {
		path := filepath.Join(t.TempDir(), "goodgate.yaml")
		text := fmt.Sprintf("listeners: [%q]\n%s\npools: {app: {upstreams: ['http://127.0.0.1:1']}}\n", listener, rest)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--admin", well}, 0, "ready"},
		{[]string{"--admin", draining}, 1, "503"},
		{[]string{"--admin", hangs, "--timeout", "30ms"}, 1, "--timeout 30ms"},
		{[]string{"--admin", closed}, 1, closed},
		{[]string{"--config", file(closed, "admin: {address: '"+well+"'}")}, 0, "ready"},
		{[]string{"--config", file(open, "admin: {address: '"+closed+"'}")}, 1, closed},
		{[]string{"--config", file(open, "")}, 0, "accepts connections"},
		{[]string{"--config", file(":"+port, "")}, 0, "accepts connections"},
		{[]string{"--config", file("0.0.0.0:"+port, "")}, 0, "accepts connections"},
		{[]string{"--config", file("unix:"+socket, "")}, 0, "accepts connections"},
		{[]string{"--config", file("unix:"+socket+"x", "")}, 1, socket + "x"},
		{[]string{"--config", file(closed, "")}, 1, closed},
		{[]string{"--config", file("fd:web", "")}, 1, "admin.address"},
		{[]string{"--config", file(open, "nonsense: 1")}, 1, "nonsense"},
		{[]string{"--config", "/nowhere/goodgate.yaml"}, 1, "/nowhere/goodgate.yaml"},
		{[]string{"extra"}, 2, "extra"},
	} {
		var out, errs bytes.Buffer
		code := run(append([]string{"health"}, c.args...), &out, &errs)
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.want) {
			t.Errorf("health %v: exit code %d, %q, %q; want %d and %q", c.args, code, out.String(), errs.String(), c.code, c.want)
		}
	}
}
