package nginxconf

import (
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	maxBytes = 32 << 20 // of all files of a configuration
	maxFiles = 10_000
	maxOpen  = 256 // braces that are open; the parser's time grows with their square
)

// opener opens the files of one configuration, within bounds. The parser takes an
// error of reading for the end of a file, so that it is kept here.
type opener struct {
	main  string // as it was named; it may be a pipe
	files int
	bytes int64
	err   error // the first of reading
}

// open returns a file that is opened when it is read: the parser closes only those.
func (o *opener) open(path string) (io.ReadCloser, error) {
	f := &source{opener: o, path: path}
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case path != o.main && !info.Mode().IsRegular(): // a pipe would block, a device might have no end
		err = fmt.Errorf("%s is no regular file", path)
	case info.Size() > maxBytes:
		err = fmt.Errorf("%s is larger than %d MiB", path, maxBytes>>20)
	}
	return f, err // the parser closes it also with an error
}

// source is a file of a configuration.
type source struct {
	opener *opener
	path   string
	file   *os.File // nil before the first Read
	braces int
}

func (s *source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

func (s *source) Read(p []byte) (int, error) {
	if s.file == nil {
		s.opener.files++
		var err error
		if s.file, err = os.Open(s.path); err != nil {
			return 0, s.failed(err)
		}
	}
	n, err := s.file.Read(p)
	s.opener.bytes += int64(n)
	s.count(p[:n])
	switch {
	case s.opener.files > maxFiles:
		return 0, s.failed(fmt.Errorf("more than %d files", maxFiles))
	case s.opener.bytes > maxBytes:
		return 0, s.failed(fmt.Errorf("larger than %d MiB, with all that it includes", maxBytes>>20))
	case s.braces > maxOpen:
		return 0, s.failed(fmt.Errorf("%s: more than %d braces are open", s.path, maxOpen))
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

// count follows how many braces are open, those in quotes too, up to one more than
// there may be.
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
