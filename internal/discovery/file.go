package discovery

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/goodgate/goodgate/internal/watch"
)

// quietTime is the time without changes in the directory before the file is read.
const quietTime = 100 * time.Millisecond

// NewFile returns a source of the upstreams listed in a YAML or JSON file: URLs (see
// ParseURL), or mappings of url, weight, tier, max_in_flight, zone, lifecycle and
// metadata. Missing fields of an entry are from t. Host names are delivered unchanged,
// for resolution when dialing.
//
// The file is read again after any change in its directory, and every 10 s. A file that
// is missing, empty, larger than 1 MiB, longer than 100,000 entries or faulty anywhere
// keeps the last good set. The list [] is valid. Replace the file by renaming: a reader
// cannot always distinguish half a list from a complete one.
func NewFile(path string, t Target) Source {
	return &file{path: filepath.Clean(path), base: t, lookInterval: watch.Every}
}

// CheckFile returns the number of upstreams in a file, or the error in it.
func CheckFile(path string) (entries int, err error) {
	content, err := read(filepath.Clean(path))
	if err != nil {
		return 0, err
	}
	targets, err := parseFile(content, Target{Weight: 1})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return len(targets), nil
}

type file struct {
	path string
	base Target

	// Tests change these.
	lookInterval time.Duration
	newWatcher   func() (*fsnotify.Watcher, error) // nil = fsnotify's
}

func (f *file) Run(ctx context.Context, sink Sink) error {
	r := reader{file: f, reporter: reporter{sink: sink}}
	watch.File{
		Path: f.path, Quiet: quietTime, Every: f.lookInterval, NewWatcher: f.newWatcher,
		Unwatched: func(err error) {
			r.report(fmt.Errorf("watching %s: %w; reading it every %v instead", f.path, err, f.lookInterval))
		},
	}.Run(ctx, r.look)
	return nil
}

// reader remembers its reports to the sink about a file.
type reader struct {
	reporter
	file       *file
	content    []byte // last read; nil before that
	unreadable bool   // the last read failed
	targets    []Target
	delivered  bool
}

// look reads the file, and reports news to the sink.
func (r *reader) look() {
	content, err := read(r.file.path)
	if err != nil {
		if !r.unreadable {
			r.unreadable, r.content = true, nil
			r.report(err)
		}
		return
	}
	if r.content != nil && bytes.Equal(content, r.content) {
		if !r.failing {
			r.sink.looked(nil, true)
		}
		return
	}
	r.unreadable, r.content = false, content
	targets, err := parseFile(content, r.file.base)
	if err != nil {
		r.report(fmt.Errorf("%s: %w", r.file.path, err))
		return
	}
	r.sink.looked(nil, false)
	if !r.delivered || !slices.Equal(targets, r.targets) {
		r.delivered, r.targets = true, targets
		r.sink.Update(slices.Clone(targets))
	}
	r.report(nil)
}

// read returns the content of the file at path, never nil.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the list of upstreams: %w", err)
	}
	if !info.Mode().IsRegular() { // a pipe would block
		return nil, fmt.Errorf("reading the list of upstreams: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the list of upstreams: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the list of upstreams: %w", err)
	}
	if len(content) > maxFileSize {
		return nil, fmt.Errorf("reading the list of upstreams: %s has more than the limit of %d bytes", path, maxFileSize)
	}
	return content, nil
}
