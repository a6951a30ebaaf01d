package gate

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
)

// TestRollback: earlier configurations are kept, can be compared and restored, also by
// the next process. The file stays unchanged, and wins at the next reload.
func TestRollback(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "goodgate.yaml")
	upstream := app(t, "app")
	write := func(attempts int) string {
		text := fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nstate: {file: %s/state.json}\nadmin: unix:%s/s\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%s], retry: {attempts: %d}, sticky: {secret: s3cr3t-0123456789}}}", dir, dir, upstream, attempts)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return text
	}
	load := func() (*config.Config, []config.Warning, error) { return assemble.Load(file) }
	first := write(3)
	c, _, err := load()
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, c, Options{Load: load, Parse: assemble.Parse})
	api := admin.Client{Address: "unix:" + dir + "/s"}
	attempts := func(want int) {
		t.Helper()
		if got := g.gate.current.Load().config.Pools["app"].Retry.Attempts; got != want {
			t.Errorf("attempts %d, want %d", got, want)
		}
	}
	second := write(4)
	for range 2 { // the second time changes nothing
		if _, err := g.gate.Reread("SIGHUP"); err != nil {
			t.Fatal(err)
		}
	}
	var list []admin.ConfigVersion
	if err := api.Get(t.Context(), "/v1/config/history", &list); err != nil || len(list) != 2 || !list[0].InUse || list[1].InUse || list[0].By != "SIGHUP" || list[1].By != "start" {
		t.Fatalf("%+v, %v", list, err)
	}
	var diff admin.ConfigDiff
	if err := api.Get(t.Context(), "/v1/config/diff?a=1", &diff); err != nil || fmt.Sprint(diff.Changes) != "[pools.app.retry.attempts: 3 -> 4]" {
		t.Errorf("%+v, %v", diff, err)
	}
	text, err := g.gate.ConfigVersion(1)
	if err != nil || strings.Contains(string(text), "s3cr3t") || !strings.Contains(string(text), "attempts: 3") {
		t.Errorf("version 1 is shown as %s, %v", text, err)
	}
	var done admin.Reloaded
	if err := api.Post(t.Context(), "/v1/config/rollback", admin.RollbackOrder{To: 1}, &done); err != nil || len(done.Changes) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	attempts(3)
	var s admin.Status
	if err := api.Get(t.Context(), "/v1/status", &s); err != nil || s.Config.RolledBack != 1 || len(s.Troubles) != 1 || s.Troubles[0].Situation != "config_rolled_back" {
		t.Errorf("%+v, %+v, %v", s.Config, s.Troubles, err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != second {
		t.Errorf("the file was written: %s, %v", now, err)
	}
	if _, err := g.gate.Reread("SIGHUP"); err != nil {
		t.Fatal(err)
	}
	attempts(4)
	if s := g.gate.ConfigState(); s.RolledBack != 0 {
		t.Errorf("after a reload: %+v", s)
	}
	h := openConfigHistory(filepath.Join(dir, "state.json"), slog.New(slog.DiscardHandler))
	if len(h.list) != 4 || h.list[0].Text != first || h.list[2].Text != first || h.list[3].Text != second {
		t.Errorf("the next process finds %+v", h.list)
	}
	if info, err := os.Stat(h.file(1)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info, err)
	}
}

// TestRollbackIsAllOrNothing: a version that no longer parses changes nothing.
func TestRollbackIsAllOrNothing(t *testing.T) {
	text := "listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [" + app(t, "app") + "]}}"
	g := start(t, parse(t, text), Options{Parse: assemble.Parse})
	g.gate.configs.list = append(g.gate.configs.list, version{N: 7, Name: "x", Text: "pools: {"})
	if _, err := g.gate.Rollback(7, "a test"); err == nil {
		t.Error("it was put into use")
	}
	if _, err := g.gate.Rollback(8, "a test"); err == nil {
		t.Error("a version that is not kept was put into use")
	}
	if got := get(t, "http://"+g.addrs[0]+"/"); got != "200 app /" {
		t.Error(got)
	}
}

// TestConfigHistoryIsBounded: the history is bounded, and skips an unreadable file.
func TestConfigHistoryIsBounded(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	h := openConfigHistory(state, slog.New(slog.DiscardHandler))
	for i := range mostVersions + 5 {
		h.add(parse(t, fmt.Sprintf("listeners: [\":1%04d\"]\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}", i)), "a test")
	}
	if err := os.WriteFile(h.file(20), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := openConfigHistory(state, slog.New(slog.DiscardHandler))
	if len(h.list) != mostVersions || h.list[0].N != 6 || len(next.list) != mostVersions-1 {
		t.Errorf("%d versions from %d, and %d in the folder", len(h.list), h.list[0].N, len(next.list))
	}
}

// TestFailedStart: a configuration that could not be applied is not in the history.
func TestFailedStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c, _, err := assemble.Parse([]config.File{{Name: "goodgate.yaml", Text: fmt.Appendf(nil, "listeners: [%q]\nstate: {file: %s/state.json}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"], health: {type: none}}}", taken.Addr(), dir)}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context(), nil, nil); err == nil {
		t.Error("it serves")
	}
	if h := openConfigHistory(filepath.Join(dir, "state.json"), g.log); len(h.list) != 0 {
		t.Errorf("the history has %d versions", len(h.list))
	}
}
