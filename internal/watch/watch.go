// Package watch reports when a file may have changed.
package watch

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Every is the default interval of checks without a notification. Network file systems
// send none, nor do symlinks into another folder.
const Every = 10 * time.Second

// File is a file to watch.
type File struct {
	Path  string
	Quiet time.Duration // time without changes in the folder before a check, so that a writer in several steps is done
	Every time.Duration // between unconditional checks; 0 = [Every]

	// Folders returns more folders to watch, for example those of files that this one
	// names. It is called after each check. nil = no more folders.
	Folders func() []string

	// Unwatched is called if notifications are not available, so that only the
	// unconditional checks are left. It may be nil.
	Unwatched func(error)

	NewWatcher func() (*fsnotify.Watcher, error) // nil = fsnotify's; for tests
}

// Run calls look at once, and then whenever the file may have changed, until ctx ends.
// It watches the folder, because a file replaced by a rename, or by the symlink swap of
// a Kubernetes ConfigMap, is a different file.
func (f File) Run(ctx context.Context, look func()) {
	events, errs, watch, stop := f.open()
	defer stop()
	ticker := time.NewTicker(cmp.Or(f.Every, Every))
	defer ticker.Stop()
	quiet := time.NewTimer(0) // the first check follows the first watch
	defer quiet.Stop()
	watch()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			quiet.Reset(f.Quiet)
		case <-errs: // the system has lost events
			quiet.Reset(f.Quiet)
		case <-quiet.C:
			look()
			if watch() { // a change in a new folder may have been missed
				quiet.Reset(f.Quiet)
			}
		case <-ticker.C:
			watch() // the folder may have been replaced
			look()
		}
	}
}

// open returns a watcher's channels, and a function that watches the folders and
// reports whether it has added some. Without a watcher the channels are nil.
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
	// Add fails for a missing folder. look reports that by itself.
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
