package nginxconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxBytes = 32 << 20 // bytes in all files of a configuration
	maxFiles = 10_000
	maxOpen  = 256 // open braces; the parser's time grows with their square
)

// opener opens the files of one configuration, within limits. It keeps read errors,
// because the parser treats them as the end of a file.
type opener struct {
	dir   string            // folder of the main file, for relative names
	root  root              // root folder of absolute names
	texts map[string]string // files already read, by name
	dump  bool              // texts has all files
	empty []string          // patterns without a match
	files int
	bytes int64
	err   error // the first read error
}

// open returns a file that opens at its first read, because the parser closes only the
// files that it has read.
func (o *opener) open(name string) (io.ReadCloser, error) {
	f := &source{opener: o, name: name}
	if text, known := o.texts[name]; known {
		f.in = io.NopCloser(strings.NewReader(text))
		return f, nil
	}
	if o.dump {
		return f, fmt.Errorf("%s is not in the dump", name)
	}
	f.path = o.find(name)
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
	case !info.Mode().IsRegular(): // a pipe would block, and a device might be endless
		err = fmt.Errorf("%s is not a regular file", name)
	case info.Size() > maxBytes:
		err = fmt.Errorf("%s is larger than %d MiB", name, maxBytes>>20)
	}
	return f, err // the parser closes it after an error, too
}

// find returns the path of a file. A single file of sites-enabled or conf.d does not
// name nginx's own folder, which is usually one level up.
func (o *opener) find(name string) string {
	real := o.root.path(name)
	if _, err := os.Lstat(real); errors.Is(err, fs.ErrNotExist) {
		if above, within := o.above(name); within && exists(above) {
			return above
		}
	}
	return real
}

// above returns the path of a file one level up; within is false if the file is not in
// the main file's folder.
func (o *opener) above(name string) (path string, within bool) {
	rest, err := filepath.Rel(o.dir, name)
	if err != nil || strings.HasPrefix(rest, "..") {
		return "", false
	}
	return o.root.path(filepath.Join(o.dir, "..", rest)), true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// glob returns the names of the files that match a pattern.
func (o *opener) glob(pattern string) ([]string, error) {
	var names []string
	if o.dump {
		for name := range o.texts {
			if ok, _ := path.Match(pattern, name); ok {
				names = append(names, name)
			}
		}
	} else {
		found, err := filepath.Glob(o.root.path(pattern))
		if above, within := o.above(pattern); within && err == nil && len(found) == 0 {
			found, err = filepath.Glob(above)
		}
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			names = append(names, o.root.name(f))
		}
	}
	if len(names) == 0 {
		o.empty = append(o.empty, pattern)
	}
	slices.Sort(names)
	return names, nil
}

// source is a file of a configuration.
type source struct {
	opener *opener
	name   string
	path   string
	in     io.ReadCloser // nil before the first read
	braces int
}

func (s *source) Close() error {
	if s.in == nil {
		return nil
	}
	return s.in.Close()
}

func (s *source) Read(p []byte) (int, error) {
	if s.in == nil {
		s.opener.files++
		f, err := os.Open(s.path)
		if err != nil {
			return 0, s.failed(err)
		}
		s.in = f
	}
	n, err := s.in.Read(p)
	s.opener.bytes += int64(n)
	s.count(p[:n])
	switch {
	case s.opener.files > maxFiles:
		return 0, s.failed(fmt.Errorf("more than %d files", maxFiles))
	case s.opener.bytes > maxBytes:
		return 0, s.failed(fmt.Errorf("larger than %d MiB with its includes", maxBytes>>20))
	case s.braces > maxOpen:
		return 0, s.failed(fmt.Errorf("%s: more than %d braces are open", s.name, maxOpen))
	case err != nil && !errors.Is(err, io.EOF):
		return n, s.failed(err)
	}
	return n, err
}

func (s *source) failed(err error) error {
	if s.opener.err == nil {
		s.opener.err = err
	}
	return err
}

// count tracks the number of open braces, including those in quotes, up to one more
// than the limit.
func (s *source) count(text []byte) {
	for _, c := range text {
		switch {
		case s.braces > maxOpen:
			return
		case c == '{':
			s.braces++
		case c == '}' && s.braces > 0:
			s.braces--
		}
	}
}
