package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// follow runs f and returns the contents that its checks read, without repetitions in a
// row. An unreadable file is empty.
func follow(t *testing.T, f File) <-chan string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	seen := make(chan string, 100)
	last := "nothing"
	var wg sync.WaitGroup
	wg.Go(func() {
		f.Run(ctx, func() {
			content, _ := os.ReadFile(f.Path)
			if string(content) != last {
				last = string(content)
				seen <- last
			}
		})
	})
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	return seen
}

func want(t *testing.T, seen <-chan string, content string) {
	t.Helper()
	select {
	case got := <-seen:
		if got != content {
			t.Fatalf("found %q, want %q", got, content)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %q", content)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "one")
	seen := follow(t, File{Path: path, Quiet: time.Millisecond, Every: time.Hour})
	want(t, seen, "one")
	write(t, path, "two")
	want(t, seen, "two")
}

// A folder is watched again after it has been created late, recreated or replaced.
func TestRecreatedFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(dir, "f")
	seen := follow(t, File{Path: path, Quiet: time.Millisecond, Every: 10 * time.Millisecond})
	want(t, seen, "")
	write(t, path, "made later")
	want(t, seen, "made later")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	want(t, seen, "")
	write(t, path, "made again")
	want(t, seen, "made again")
	other := filepath.Join(filepath.Dir(dir), "other", "f")
	write(t, other, "another folder")
	if err := errors.Join(os.Rename(dir, dir+".old"), os.Rename(filepath.Dir(other), dir)); err != nil {
		t.Fatal(err)
	}
	for got := range seen { // the file may be missing in between
		if got == "another folder" {
			break
		}
	}
}

// When the system loses events, the watcher reports an error and blocks until it is
// read. Then the file is checked, and further changes are reported.
func TestDroppedEvents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "one")
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	seen := follow(t, File{Path: path, Quiet: time.Millisecond, Every: time.Hour, NewWatcher: func() (*fsnotify.Watcher, error) { return w, nil }})
	want(t, seen, "one")
	for range 3 {
		select {
		case w.Errors <- fsnotify.ErrEventOverflow:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody reads the watcher's errors")
		}
	}
	write(t, path, "two")
	want(t, seen, "two")
}

func TestNoWatcher(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	told := make(chan error, 1)
	failed := errors.New("no watcher")
	seen := follow(t, File{
		Path: path, Quiet: time.Hour, Every: time.Millisecond,
		Unwatched:  func(err error) { told <- err },
		NewWatcher: func() (*fsnotify.Watcher, error) { return nil, failed },
	})
	if err := <-told; err != failed {
		t.Errorf("got %v, want %v", err, failed)
	}
	want(t, seen, "")
	write(t, path, "one")
	want(t, seen, "one")
}

// TestMoreFolders checks that a change in a folder that the file names is noticed, even
// a change before the folder was watched.
func TestMoreFolders(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	path, part := filepath.Join(dir, "f"), filepath.Join(other, "part")
	write(t, path, "main")
	write(t, part, "one")
	ctx, stop := context.WithCancel(t.Context())
	seen := make(chan string, 100)
	looks := 0
	var folders []string
	var wg sync.WaitGroup
	wg.Go(func() {
		File{Path: path, Quiet: time.Millisecond, Every: time.Hour, Folders: func() []string { return folders }}.Run(ctx, func() {
			content, _ := os.ReadFile(part)
			folders = []string{other}
			if looks++; looks == 1 {
				os.WriteFile(part, []byte("two"), 0o600) // between the check and the watch
			}
			seen <- string(content)
		})
	})
	defer wg.Wait()
	defer stop()
	until := func(content string) {
		t.Helper()
		for {
			select {
			case got := <-seen:
				if got == content {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("waited in vain for %q", content)
			}
		}
	}
	until("two")
	write(t, part, "three")
	until("three")
}
