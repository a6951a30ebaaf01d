package discovery

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// place writes a file correctly: a new file, then a rename.
func place(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// wantFault waits for a report that has all of parts in it.
func (r *record) wantFault(t *testing.T, parts ...string) {
	t.Helper()
	err := <-r.errs
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got report %v, want %q in it", err, p)
		}
	}
}

func (r *record) wantRecovery(t *testing.T) {
	t.Helper()
	if err := <-r.errs; err != nil {
		t.Errorf("got report %v, want nil", err)
	}
}

func TestFileReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "upstreams.yaml")
	place(t, path, "- http://10.0.0.1\n")
	r := run(t, NewFile(path, Target{}))
	r.want(t, "10.0.0.1:80")
	place(t, path, "- http://10.0.0.1\n- http://10.0.0.2\n")
	r.want(t, "10.0.0.1:80", "10.0.0.2:80")
	place(t, path, "[]")
	r.want(t)
	r.wantQuiet(t)
}

func TestFileBrokenThenRepaired(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "upstreams.json")
	place(t, path, `["http://10.0.0.1"]`)
	r := run(t, NewFile(path, Target{}))
	r.want(t, "10.0.0.1:80")
	place(t, path, "[\"http://10.0.0.1\",\n {\"uri\": 1}]")
	r.wantFault(t, path, "line 2, column 3")
	place(t, path, "")
	r.wantFault(t, "empty")
	place(t, path, strings.Repeat(" ", maxFileSize+1))
	r.wantFault(t, "1048576")
	place(t, path, `["http://10.0.0.1"]`)
	r.wantRecovery(t) // and no update: nothing has changed
	os.Remove(path)
	if err := <-r.errs; !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got report %v, want fs.ErrNotExist", err)
	}
	place(t, path, `["http://10.0.0.2"]`)
	r.want(t, "10.0.0.2:80")
	r.wantRecovery(t)
	r.wantQuiet(t)
}

func TestPipeDoesNotBlock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "upstreams.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	r := run(t, NewFile(path, Target{}))
	r.wantFault(t, "not a regular file")
	place(t, path, "- http://10.0.0.1\n")
	r.want(t, "10.0.0.1:80")
}

// A ConfigMap is a directory of links to ..data/NAME, and ..data is a link to the
// directory of the version, replaced by renaming.
func TestFileOfAConfigMap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		os.Remove(name + ".new")
		if err := os.Symlink(target, name+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	version := func(name, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		place(t, filepath.Join(dir, name, "upstreams.yaml"), content)
		link(name, filepath.Join(dir, "..data"))
	}
	version("..v1", "- http://10.0.0.1\n")
	link(filepath.Join("..data", "upstreams.yaml"), filepath.Join(dir, "upstreams.yaml"))
	r := run(t, NewFile(filepath.Join(dir, "upstreams.yaml"), Target{}))
	r.want(t, "10.0.0.1:80")
	version("..v2", "- http://10.0.0.2\n")
	os.RemoveAll(filepath.Join(dir, "..v1"))
	r.want(t, "10.0.0.2:80")
}

func TestFileIsReadWithoutAWatcher(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "upstreams.yaml")
	f := NewFile(path, Target{}).(*file)
	f.lookInterval = 5 * time.Millisecond
	f.newWatcher = func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }
	r := run(t, f)
	if err := <-r.errs; !errors.Is(err, syscall.EMFILE) {
		t.Errorf("got report %v, want EMFILE", err)
	}
	r.wantFault(t, "no such file")
	place(t, path, "- http://10.0.0.1\n")
	r.want(t, "10.0.0.1:80")
	place(t, path, "- http://10.0.0.2\n")
	r.wantRecovery(t)
	r.want(t, "10.0.0.2:80")
}

func TestFileInNewDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(dir, "upstreams.yaml")
	f := NewFile(path, Target{}).(*file)
	f.lookInterval = 5 * time.Millisecond
	r := run(t, f)
	r.wantFault(t, "no such file")
	for _, addr := range []string{"10.0.0.1", "10.0.0.2"} { // the second time the old watch is gone
		os.RemoveAll(dir)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		place(t, path, "- http://"+addr+"\n")
		r.want(t, addr+":80")
	}
}
