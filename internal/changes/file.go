package changes

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ErrMemoryOnly means that a book has no file.
var ErrMemoryOnly = errors.New("neither state.file nor STATE_DIRECTORY is set")

var (
	errNotWritten = errors.New("it has not been written yet")
	errNoFile     = errors.New("it is not a regular file")
)

// maxFile bounds the file. It is larger than a full book.
const maxFile = 128 << 20 // bytes

// content is the content of the file, as JSON.
type content struct {
	Version int      `json:"version"`
	Changes []Change `json:"changes"`
}

const version = 1

// parse returns the changes in the text of a file. With an error it returns the valid
// ones.
func parse(text []byte) ([]Change, error) {
	var raw struct {
		Version int               `json:"version"`
		Changes []json.RawMessage `json:"changes"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	if raw.Version != version {
		return nil, fmt.Errorf("its version is %d, but this goodgate reads version %d", raw.Version, version)
	}
	var errs []error
	if n := len(raw.Changes); n > MaxChanges {
		errs = append(errs, fmt.Errorf("it has %d changes: the limit is %d", n, MaxChanges))
		raw.Changes = raw.Changes[:MaxChanges]
	}
	list, ids := map[Subject]Change{}, map[string]bool{}
	for i, text := range raw.Changes {
		c, err := one(text)
		if err == nil && (list[c.Subject].ID != "" || ids[c.ID]) {
			err = invalid("another change has the same subject or id")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("changes[%d]: %w", i, err))
			continue
		}
		list[c.Subject], ids[c.ID] = c, true
	}
	return slices.SortedFunc(maps.Values(list), older), shortened(errs)
}

func one(text []byte) (Change, error) {
	var c Change
	if err := json.Unmarshal(text, &c); err != nil {
		return c, err
	}
	c, err := c.normal()
	switch {
	case err != nil:
		return c, err
	case c.ID == "" || len(c.ID) > MaxText:
		return c, invalid("its id has %d bytes", len(c.ID))
	case c.At.IsZero():
		return c, invalid("it has no time (at)")
	}
	return c, nil
}

// shortened joins errors, but at most the first few.
func shortened(errs []error) error {
	const few = 3
	if more := len(errs) - few; more > 0 {
		errs = append(errs[:few:few], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// read returns the changes in the file. It logs errors, and sets b.failed while the
// file does not have all active changes.
func (b *Book) read() []Change {
	if b.file == "" {
		return nil
	}
	text, err := load(b.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		b.failed = err
		b.log.Error("state file unreadable: earlier changes by operators are not in force", "file", b.file, "error", err.Error())
		return nil
	}
	list, err := parse(text)
	if err == nil {
		return list
	}
	b.failed = errNotWritten
	aside, failed := setAside(b.file)
	if failed != nil {
		b.failed = failed
		aside = "could not be set aside: " + failed.Error()
	}
	b.log.Error("state file damaged: some earlier changes by operators are not in force", "file", b.file, "error", err.Error(), "changes", len(list), "aside", aside)
	return list
}

// load reads a file if it may be a book.
func load(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := regular(f.Stat()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

// Check returns the error that [Open] would log for a file. It changes nothing.
func Check(file string) error {
	text, err := load(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", file, err)
	}
	if _, err = parse(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func regular(info fs.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() {
		return errNoFile
	}
	return err
}

// setAside renames an unusable file, and returns the new name.
func setAside(file string) (string, error) {
	aside := file + ".broken-" + time.Now().UTC().Format("20060102T150405")
	return aside, os.Rename(file, aside)
}

// write writes the changes to the file, and records whether that succeeded. mu must be
// held.
func (b *Book) write(set map[Subject]Change) {
	if b.file == "" {
		return
	}
	was := b.failed
	b.tried = time.Now()
	list := slices.SortedFunc(maps.Values(set), older)
	b.failed = save(b.file, slices.DeleteFunc(list, func(c Change) bool { return !c.lasts() }))
	switch {
	case b.failed != nil && (was == nil || was.Error() != b.failed.Error()):
		b.log.Error("state file not writable: a restart loses the operators' changes", "file", b.file, "error", b.failed.Error(), "setting", "state.file")
	case b.failed == nil && was != nil:
		b.log.Info("state file writable again", "file", b.file)
	}
}

// save replaces a file atomically and durably.
func save(file string, list []Change) error {
	text, err := json.MarshalIndent(content{version, append([]Change{}, list...)}, "", "  ")
	if err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // keeps the link
	}
	if err := regular(os.Stat(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", file, err)
	}
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	next := file + ".new" // overwrites the rest of a crashed attempt
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := create(next, append(text, '\n')); err != nil {
		os.Remove(next)
		return err
	}
	if err := os.Rename(next, file); err != nil {
		os.Remove(next)
		return err
	}
	syncFolder(folder)
	return nil
}

func create(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return cmp.Or(err, f.Sync(), f.Close())
}

// syncFolder makes a rename survive a crash of the machine, if the file system can.
func syncFolder(name string) {
	if d, err := os.Open(name); err == nil {
		d.Sync()
		d.Close()
	}
}
