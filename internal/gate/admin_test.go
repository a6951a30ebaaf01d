package gate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
)

// TestAdminListener follows it through reloads: there, locked on the same
// socket, elsewhere, and gone.
func TestAdminListener(t *testing.T) {
	dir := t.TempDir()
	const yaml = "listeners: [\"unix:%s/l\"]\nadmin: %s\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"], health: {type: none}, slow_start: %s}}"
	one, two := "unix:"+filepath.Join(dir, "one"), "unix:"+filepath.Join(dir, "two")
	g := start(t, parse(t, fmt.Sprintf(yaml, dir, one, "0s")), Options{})
	c := admin.Client{Address: one}
	var s admin.Status
	if err := c.Get(t.Context(), "/v1/status", &s); err != nil || len(s.Pools) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "one")); err != nil || info.Mode().Perm() != adminMode {
		t.Errorf("socket: %v, %v; want mode 0600", info, err)
	}

	g.reload(t, parse(t, fmt.Sprintf(yaml, dir, "{address: "+one+", token: 0123456789abcdef}", "0s")))
	if err := c.Get(t.Context(), "/v1/status", &s); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("after a token was set: %v", err)
	}
	c.Token = "0123456789abcdef"
	if err := c.Get(t.Context(), "/v1/status", &s); err != nil {
		t.Errorf("with the token: %v", err)
	}

	g.reload(t, parse(t, fmt.Sprintf(yaml, dir, two, "0s")))
	if err := c.Get(t.Context(), "/v1/status", &s); err == nil {
		t.Error("the old listener still answers")
	}
	c = admin.Client{Address: two}
	if err := c.Get(t.Context(), "/v1/status", &s); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
	g.reload(t, parse(t, fmt.Sprintf(yaml, dir, `""`, "0s")))
	if err := c.Get(t.Context(), "/v1/status", &s); err == nil {
		t.Error("it is gone, and still answers")
	}
}

func TestShutdownByAPI(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, "listeners: [\"127.0.0.1:0\"]\nadmin: unix:"+sock+"\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}"), Options{})
	var out any
	if err := (admin.Client{Address: "unix:" + sock}).Post(t.Context(), "/v1/drain", nil, &out); err != nil {
		t.Fatal(err)
	}
	if err := <-g.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	g.ended <- nil // for start
}
