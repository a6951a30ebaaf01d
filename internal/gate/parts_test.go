package gate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
)

// put replaces a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// TestParts: a change of any file of the configuration is put into use, or none of it; and
// a version has all files.
func TestParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, part, secret := filepath.Join(dir, "goodgate.yaml"), filepath.Join(dir, "conf.d", "app.yaml"), filepath.Join(dir, "secrets", "token")
	pool := func(attempts int) string {
		return fmt.Sprintf("pools: {app: {upstreams: [\"http://127.0.0.1:1\"], retry: {attempts: %d}}}\n", attempts)
	}
	put(t, file, "include: conf.d/*.yaml\nlisteners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\nadmin: {token: '${file:secrets/token}'}\n")
	put(t, part, pool(2))
	put(t, secret, "0123456789abcdef-one\n")
	load := func() (*config.Config, []config.Warning, error) { return assemble.Load(file) }
	c, _, err := load()
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, c, Options{Load: load, Parse: assemble.Parse})
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer wg.Wait()
	defer stop()
	wg.Go(func() { g.gate.Watch(ctx, file) })
	is := func(what string, attempts, pools int, token string) {
		t.Helper()
		now := func() string {
			c := g.gate.current.Load().config
			return fmt.Sprint(c.Pools["app"].Retry.Attempts, " ", len(c.Pools), " ", string(c.Admin.Token))
		}
		want := fmt.Sprint(attempts, " ", pools, " 0123456789abcdef-", token)
		eventually(t, what, func() bool { return now() == want }, now)
	}
	put(t, part, pool(3))
	is("a part changes", 3, 1, "one")
	put(t, secret, "0123456789abcdef-two")
	is("a secret changes", 3, 1, "two")
	put(t, filepath.Join(dir, "conf.d", "b.yaml"), "routes: [{pool: app}]\npools: {app: {}}\n")
	eventually(t, "a bad part", func() bool { return g.gate.ConfigState().Error != "" }, func() string { return fmt.Sprint(g.gate.ConfigState()) })
	is("after a bad part", 3, 1, "two")
	put(t, filepath.Join(dir, "conf.d", "b.yaml"), "routes: [{pool: app}]\npools: {b: {upstreams: [\"http://127.0.0.1:2\"]}}\n")
	is("a part appears", 3, 2, "two")
	if err := os.Remove(filepath.Join(dir, "conf.d", "b.yaml")); err != nil {
		t.Fatal(err)
	}
	is("a part goes", 3, 1, "two")
	stop()
	wg.Wait()
	if _, err := g.gate.Rollback(1, "test"); err != nil {
		t.Fatal(err)
	}
	is("rolled back", 2, 1, "two")
	if list := g.gate.ConfigHistory(); len(list) < 3 || !list[len(list)-1].InUse && !list[0].InUse {
		t.Errorf("got %+v", list)
	}
}
