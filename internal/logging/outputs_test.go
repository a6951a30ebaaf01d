package logging

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// written opens a log, uses it, closes it, and returns the contents of its files.
func written(t *testing.T, o Options, use func(*Log)) map[string]string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string {
		if name == "" || name == "stderr" {
			return name
		}
		return filepath.Join(dir, name)
	}
	o.Output = at(o.Output)
	for i := range o.More {
		o.More[i].Output = at(o.More[i].Output)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	use(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = string(raw)
	}
	return all
}

func ofRoute(name string) *proxy.Record {
	return record(func(r *proxy.Record) { r.Route, r.ID = name, "of-"+name })
}

// holds checks that a text is in exactly these outputs.
func holds(t *testing.T, got map[string]string, text string, in ...string) {
	t.Helper()
	for name, content := range got {
		want := false
		for _, n := range in {
			want = want || n == name
		}
		if strings.Contains(content, text) != want {
			t.Errorf("%s is in %s: %t, want %t", text, name, !want, want)
		}
	}
}

// TestOutputs: requests and events go to different outputs, each output has its own
// format, and routes choose outputs.
func TestOutputs(t *testing.T) {
	t.Parallel()
	got := written(t, Options{
		Name: "main", Output: "main", Format: "json", Sample: 1, Records: Requests,
		More: []Options{
			{Name: "events", Output: "events", Format: "text", Sample: 1, Records: Events},
			{Name: "nginx", Output: "nginx", Format: "$route $status", Sample: 1},
			{Name: "audit", Output: "audit", Format: "json", Sample: 1, Records: Requests, Chosen: true},
		},
		Routes: map[string][]string{"quiet": {"off"}, "audited": {"audit"}, "both": {"main", "audit"}},
	}, func(l *Log) {
		l.With("part", "one").Info("shown", "key", "value")
		for _, route := range []string{"usual", "quiet", "audited", "both"} {
			l.Access(ofRoute(route))
		}
	})
	if len(got) != 4 {
		t.Fatalf("got the files %v", got)
	}
	holds(t, got, "shown", "events")
	holds(t, got, "part=one key=value", "events")
	holds(t, got, "of-usual", "main")
	holds(t, got, "usual 200\n", "nginx")
	holds(t, got, "quiet")
	holds(t, got, "of-audited", "audit")
	holds(t, got, "of-both", "main", "audit")
	if got["nginx"] != "usual 200\n" {
		t.Errorf("nginx: got %s", got["nginx"])
	}
}

// TestEventsGoToAllOutputs: an event goes to all outputs for events, according to their
// levels.
func TestEventsGoToAllOutputs(t *testing.T) {
	t.Parallel()
	got := written(t, Options{Output: "one", Format: "json", More: []Options{
		{Output: "two", Format: "text", Level: slog.LevelWarn}, {Output: "three", Records: Requests},
	}}, func(l *Log) {
		l.Info("little")
		l.Warn("much")
		l.WithGroup("g").Error("more", "a", 1)
	})
	holds(t, got, "little", "one")
	holds(t, got, "much", "one", "two")
	if !strings.Contains(got["one"], `"g":{"a":1}`) || !strings.Contains(got["two"], "g.a=1") {
		t.Errorf("got %v", got)
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	slow := func(r *proxy.Record) { r.Duration = 2 * time.Second }
	missing := func(r *proxy.Record) { r.Status = 404 }
	failed := func(r *proxy.Record) { r.Status, r.Reason = 502, reason.ConnectRefused }
	hidden := func(r *proxy.Record) { r.Absorbed, r.Hidden = reason.ByRetry, reason.ConnectRefused }
	for name, c := range map[string]struct {
		only                                 Only
		plain, slow, missing, failed, hidden bool
	}{
		"all":     {Only{}, true, true, true, true, true},
		"failed":  {Only{Failed: true}, false, false, false, true, true},
		"status":  {Only{Status: [][2]int{{400, 404}, {502, 502}}}, false, false, true, true, false},
		"slow":    {Only{SlowerThan: time.Second}, false, true, false, false, false},
		"any":     {Only{Failed: true, SlowerThan: time.Second}, false, true, false, true, true},
		"as slow": {Only{SlowerThan: 2 * time.Second}, false, false, false, false, false},
	} {
		for of, want := range map[string]struct {
			change func(*proxy.Record)
			kept   bool
		}{"plain": {nil, c.plain}, "slow": {slow, c.slow}, "missing": {missing, c.missing}, "failed": {failed, c.failed}, "hidden": {hidden, c.hidden}} {
			kept := false
			c.only.filtered(func(*proxy.Record) { kept = true })(record(want.change))
			if kept != want.kept {
				t.Errorf("%s, %s: kept %t, want %t", name, of, kept, want.kept)
			}
		}
	}
}

// TestBlockedOutput: a blocked output does not block the others, and its drops count only
// for it.
func TestBlockedOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(Options{Name: "main", Output: filepath.Join(dir, "good"), Sample: 1, Buffer: 64 << 20, More: []Options{{Name: "stuck", Output: filepath.Join(dir, "stuck"), Sample: 1, Records: Requests, Buffer: 4 << 10}}})
	if err != nil {
		t.Fatal(err)
	}
	stuck := file{block: make(chan struct{})}
	w := l.out.sinks[1].file
	w.out.Lock()
	w.opts.Out.Close()
	w.opts.Out = &stuck
	w.out.Unlock()
	const n = 1000
	for range n {
		l.Access(ofRoute("all"))
	}
	if by := l.DroppedBy(); by["main"] != 0 || by["stuck"] < n/2 || by["stuck"] >= n || l.Dropped() != by["stuck"] {
		t.Errorf("dropped %v", by)
	}
	close(stuck.block)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(read(t, filepath.Join(dir, "good")), "\n"); strings.Count(got, "of-all") != n || !strings.Contains(got, `"name":"stuck"`) {
		t.Errorf("the other output has %d requests, and does it tell of the drops? %t", strings.Count(got, "of-all"), strings.Contains(got, `"name":"stuck"`))
	}
}
