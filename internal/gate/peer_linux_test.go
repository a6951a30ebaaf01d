package gate

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
)

// Without a token, the author of a change over a Unix socket is the socket's user.
func TestUserOfUnixSocket(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, "listeners: [\"127.0.0.1:0\"]\nadmin: unix:"+sock+"\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"], health: {type: none}}}"), Options{})
	var done admin.Changed
	if err := (admin.Client{Address: "unix:" + sock}).Post(t.Context(), "/v1/upstreams", admin.Order{Upstream: "127.0.0.1:1", State: "drain"}, &done); err != nil || done.Lost == "" {
		t.Fatalf("%+v, %v; want it to be lost at a restart, as there is no file", done, err)
	}
	if got, want := g.gate.Changes().All()[0].By, fmt.Sprintf("local (uid %d)", os.Getuid()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
