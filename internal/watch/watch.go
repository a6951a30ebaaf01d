// Package watch says when a file may have changed.
package watch

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Every is the pause between two looks when the system reports no change: on
// network file systems, or behind a symlink into another folder.
const Every = 10 * time.Second

// File is a file whose content matters.
type File struct {
	Path  string
	Quiet time.Duration // the folder must rest for this long before a look, so that a writer in several steps is done
	Every time.Duration // between looks in any case; 0 = [Every]

	// Folders returns more folders in which a change matters, such as those of files that
	// this one names. It is called after each look; nil = there are none.
	Folders func() []string

	// Unwatched is called when only the looks in any case are left; nil = nobody is
	// interested.
	Unwatched func(error)

	NewWatcher func() (*fsnotify.Watcher, error) // nil = fsnotify's; for tests
}

// Run calls look at once, and then whenever the file may have changed, until ctx
// ends. It watches the folder, because a file that is replaced by renaming, or by
// swapping a symlink as Kubernetes does for a ConfigMap, is another file.
func (f File) Run(ctx context.Context, look func()) {
	events, errs, watch, stop := f.open()
	defer stop()
	ticker := time.NewTicker(cmp.Or(f.Every, Every))
	defer ticker.Stop()
	quiet := time.NewTimer(0) // the first look, after the first watch
	defer quiet.Stop()
	watch()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			quiet.Reset(f.Quiet)
		case <-errs: // the system has dropped events
			quiet.Reset(f.Quiet)
		case <-quiet.C:
			look()
			if watch() { // of folders that are new, a change may have gone by
				quiet.Reset(f.Quiet)
			}
		case <-ticker.C:
			watch() // the folder may be a new one
			look()
		}
	}
}

// open returns a watcher's channels, and what makes it watch the folders, and reports
// whether some are new. Without a watcher nothing comes.
func (f File) open() (events <-chan fsnotify.Event, errs <-chan error, watch func() bool, stop func()) {
	newWatcher := f.NewWatcher
	if newWatcher == nil {
		newWatcher = fsnotify.NewWatcher
	}
	w, err := newWatcher()
	if err != nil {
		if f.Unwatched != nil {
			f.Unwatched(err)
		}
		return nil, nil, func() bool { return false }, func() {}
	}
	// Add fails while there is no such folder, which look finds out by itself.
	return w.Events, w.Errors, func() bool {
		had := len(w.WatchList())
		w.Add(filepath.Dir(f.Path))
		if f.Folders != nil {
			for _, dir := range f.Folders() {
				w.Add(dir)
			}
		}
		return len(w.WatchList()) > had
	}, func() { w.Close() }
}
