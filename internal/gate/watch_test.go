package gate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
)

// watched is a running gate and the file it was configured by.
func watched(t *testing.T) (g *running, file string, set func(attempts int), attempts func() int) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "goodgate.yaml")
	set = func(n int) {
		t.Helper()
		text := fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"], retry: {attempts: %d}}}", n)
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	set(2)
	c, _, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	g = start(t, c, Options{Load: func() (*config.Config, []config.Warning, error) { return config.Load(file) }})
	return g, file, set, func() int { return g.gate.current.Load().config.Pools["app"].Retry.Attempts }
}

// A change counts whenever it came: also before the watch began.
func TestWatch(t *testing.T) {
	t.Parallel()
	g, file, set, attempts := watched(t)
	set(3)
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer wg.Wait()
	defer stop()
	wg.Go(func() { g.gate.Watch(ctx, file) })
	eventually(t, "a change before the watch", func() bool { return attempts() == 3 }, func() string { return fmt.Sprint(attempts()) })
	set(4)
	eventually(t, "a change", func() bool { return attempts() == 4 }, func() string { return fmt.Sprint(attempts()) })
}

// Unchanged files cause no reload. A change that arrives during an upgrade is loaded once
// the upgrade has failed.
func TestLook(t *testing.T) {
	t.Parallel()
	g, file, set, attempts := watched(t)
	f := follower{gate: g.gate, file: file}
	f.look()
	f.look()
	if n := g.gate.ConfigState().Reloads; n != 0 {
		t.Errorf("%d reloads of a file that is the same", n)
	}
	g.gate.mu.Lock()
	g.gate.upgrade = make(chan struct{})
	g.gate.mu.Unlock()
	set(5)
	f.look()
	if got := attempts(); got != 2 {
		t.Errorf("during an upgrade: attempts %d, want 2", got)
	}
	g.gate.endUpgrade(false)
	f.look()
	f.look()
	if got := attempts(); got != 5 {
		t.Errorf("after it: attempts %d, want 5", got)
	}
	if n := g.gate.ConfigState().Reloads; n != 1 {
		t.Errorf("%d reloads, want 1", n)
	}
}
