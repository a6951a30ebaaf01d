package logging

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// compress starts to compress the older files in the background, if that is configured
// and not in progress. NAME.1 stays uncompressed, because another process may still
// write to it.
func (l *logFile) compress() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.rotate.Compress || l.busy {
		return
	}
	l.busy = true
	l.compressing.Go(func() {
		for n := 2; n <= l.rotate.Keep; n++ {
			if err := l.compressOne(n); err != nil && !errors.Is(err, errMoved) && l.trouble != nil {
				l.trouble(err)
				break
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.busy = false
	})
}

// errMoved means that a file has a new name, so that the next attempt must handle it.
var errMoved = errors.New("the file was moved")

// compressOne replaces an older file by a compressed one.
func (l *logFile) compressOne(n int) error {
	from, err := os.Open(l.aged(n))
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.CreateTemp(filepath.Dir(l.name), ".goodgate-log-*")
	if err != nil {
		return err
	}
	defer os.Remove(to.Name()) // no effect after a rename
	err = errors.Join(l.zip(to, from), to.Chmod(info.Mode().Perm()), to.Close())
	if err != nil {
		return err
	}
	current, err := os.Open(l.name)
	if err != nil {
		return err
	}
	defer current.Close()
	unlock, err := lockFile(current)
	if errors.Is(err, errLocked) {
		return errMoved // the other process is moving the files
	}
	if err != nil {
		return err
	}
	defer unlock()
	if !has(l.name, current) || !has(l.aged(n), from) {
		return errMoved
	}
	if err := os.Rename(to.Name(), l.aged(n)+zipped); err != nil {
		return err
	}
	return os.Remove(l.aged(n))
}

// has reports whether a name belongs to an open file.
func has(name string, f *os.File) bool {
	named, err := os.Stat(name)
	if err != nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && os.SameFile(named, info)
}

// zip compresses from one file to another until Close.
func (l *logFile) zip(to io.Writer, from io.Reader) error {
	z := gzip.NewWriter(to)
	part := make([]byte, 256<<10)
	for {
		select {
		case <-l.stop:
			return errMoved
		default:
		}
		n, err := from.Read(part)
		if _, err := z.Write(part[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return z.Close()
		}
		if err != nil {
			return err
		}
	}
}
