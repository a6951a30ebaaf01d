package changes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

const goodEntry = `{"id":"abc","kind":"state","pool":"app","upstream":"a:1","value":"drain","by":"ci","at":"2026-01-02T03:04:05Z"}`

// A broken file does not prevent the start: its valid entries take effect, the rest is
// kept for inspection, and the log has an error.
func TestBrokenFile(t *testing.T) {
	entry := func(old, new string) string { return strings.Replace(goodEntry, old, new, 1) }
	for name, tc := range map[string]struct {
		text   string
		good   int
		broken bool
	}{
		"none":           {`{"version":1,"changes":[]}`, 0, false},
		"good":           {`{"version":1,"changes":[` + goodEntry + `]}`, 1, false},
		"newer kind":     {`{"version":1,"changes":[` + entry("state", "color") + `]}`, 1, false},
		"empty":          {"", 0, true},
		"zeros":          {"\x00\x00\x00\x00", 0, true},
		"cut off":        {`{"version":1,"changes":[` + goodEntry[:50], 0, true},
		"other JSON":     {`[1,2]`, 0, true},
		"newer version":  {`{"version":2,"changes":[` + goodEntry + `]}`, 0, true},
		"one bad":        {`{"version":1,"changes":[` + goodEntry + `,{"id":"x","kind":"weight","at":"2026-01-02T03:04:05Z"}]}`, 1, true},
		"twice":          {`{"version":1,"changes":[` + goodEntry + `,` + entry("abc", "abd") + `]}`, 1, true},
		"same id":        {`{"version":1,"changes":[` + goodEntry + `,` + entry("a:1", "b:1") + `]}`, 1, true},
		"no id":          {`{"version":1,"changes":[` + entry("abc", "") + `]}`, 0, true},
		"no time":        {`{"version":1,"changes":[` + entry("2026-01-02", "0001-01-01") + `]}`, 1, false},
		"year zero":      {`{"version":1,"changes":[` + entry("2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z") + `]}`, 0, true},
		"a time of none": {`{"version":1,"changes":[` + entry("2026-01-02", "yesterday") + `]}`, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "state.json")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			b := Open(Options{File: file, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if n := len(b.All()); n != tc.good || b.Kept() != nil {
				t.Errorf("%d changes are in force, want %d; kept: %v", n, tc.good, b.Kept())
			}
			aside, _ := filepath.Glob(filepath.Join(folder, "state.json.broken-*"))
			if tc.broken != (len(aside) == 1) || tc.broken != strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("set aside: %q; the log has %s", aside, log.String())
			}
			for _, name := range aside {
				if text, _ := os.ReadFile(name); string(text) != tc.text {
					t.Errorf("what was set aside is %q", text)
				}
			}
			mustPut(t, b, drainOf("new:1"))
			if n := len(Open(Options{File: file}).All()); n != tc.good+1 {
				t.Errorf("the file has %d changes afterwards, want %d", n, tc.good+1)
			}
		})
	}
}

// While the file cannot be written, operators' changes still apply, and the book
// reports that they are not saved. Once the file is writable, it has everything.
func TestUnwritableFile(t *testing.T) {
	folder := t.TempDir()
	blocker := filepath.Join(folder, "folder")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil { // where a folder is to be
		t.Fatal(err)
	}
	file := filepath.Join(blocker, "state.json")
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		b := Open(Options{File: file, Log: slog.New(slog.NewTextHandler(&log, nil))})
		go b.Run(t.Context())
		mustPut(t, b, drainOf("a:1"))
		mustPut(t, b, drainOf("b:1"))
		if len(b.All()) != 2 || b.Kept() == nil {
			t.Errorf("%d changes are in force, kept: %v", len(b.All()), b.Kept())
		}
		time.Sleep(5 * retryEvery)
		synctest.Wait()
		if text := log.Take(); strings.Count(text, "level=ERROR") != 2 { // once for reading, once for writing
			t.Errorf("the log has %s", text)
		}
		if err := os.Remove(blocker); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if b.Kept() != nil || len(Open(Options{File: file}).All()) != 2 {
			t.Errorf("kept: %v, the file has %q", b.Kept(), subjects(Open(Options{File: file})))
		}
	})
}

func TestForeignFile(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "target.json")
	link := filepath.Join(folder, "link.json")
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(target, []byte(`{"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	mustPut(t, Open(Options{File: link}), drainOf("a:1"))
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || len(Open(Options{File: target}).All()) != 1 {
		t.Errorf("a link: %v, %v, its target has %q", info.Mode(), err, subjects(Open(Options{File: target})))
	}
	for _, file := range []string{"/dev/full", "/dev/null", folder} {
		b := Open(Options{File: file})
		mustPut(t, b, drainOf("a:1"))
		if b.Kept() == nil || len(b.All()) != 1 {
			t.Errorf("%s: kept, with %d changes", file, len(b.All()))
		}
	}
	if info, err := os.Stat("/dev/full"); err == nil && info.Mode().IsRegular() {
		t.Error("/dev/full has become a file")
	}
	if got := Open(Options{}).Kept(); got != ErrMemoryOnly {
		t.Errorf("without a file: %v", got)
	}
}

// The changes read from any file can be written, and are the same when read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"changes":[` + goodEntry + `]}`))
	f.Add([]byte(`{"version":1,"changes":[{"id":"x","kind":"split","route":"r","value":{"a":[1,{}]},"by":"","at":"2026-01-02T03:04:05.123+02:00","until":"2027-01-02T03:04:05Z"}]}`))
	f.Add([]byte(`{"version":1,"changes":[null,1,{},{"value":null}]}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, _ := parse(text)
		again, err := json.Marshal(content{version, list})
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", list, err)
		}
		same, err := parse(again)
		if err != nil || fmt.Sprint(same) != fmt.Sprint(list) {
			t.Errorf("%s reads as %+v, %v; want %+v", again, same, err, list)
		}
	})
}
