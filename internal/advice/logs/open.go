package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

// Limits are limits on reading one log.
type Limits struct {
	Bytes int64         // bytes after decompression; of a larger uncompressed file, the last bytes are read
	Time  time.Duration // time for the whole log
	Idle  time.Duration // time until the next byte of standard input
}

// DefaultLimits returns limits far above the size of one day's log.
func DefaultLimits() Limits {
	return Limits{Bytes: 16 << 30, Time: 10 * time.Minute, Idle: time.Minute}
}

// NotFileError is the error for a name without a readable end: a pipe, a terminal, a
// directory.
type NotFileError struct{ Name, Kind string }

func (e *NotFileError) Error() string {
	if e.Name == "-" {
		return "standard input is " + e.Kind + ": docker logs NAME 2>&1 | goodgate doctor --log -"
	}
	return e.Name + " is " + e.Kind + ", not a file: docker logs NAME > nginx.log 2>&1; goodgate doctor --log nginx.log"
}

// File is an open log. A read ends when the context of [Open] does.
type File struct {
	Name string

	io.Reader
	closers []io.Closer
	notes   []string
}

// Notes returns notes on the parts that were left out, usually none. They are complete
// after the last byte has been read.
func (f *File) Notes() []string { return f.notes }

// Close closes the file.
func (f *File) Close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i].Close())
	}
	return errors.Join(errs...)
}

func (f *File) note(format string, args ...any) {
	note := f.Name + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(f.notes, note) {
		f.notes = append(f.notes, note)
	}
}

// Open opens a log: a regular file, or standard input with the name "-". It may be
// compressed by gzip, zstd or bzip2. The caller closes it.
func Open(ctx context.Context, name string) (*File, error) {
	return OpenLimited(ctx, name, DefaultLimits())
}

// OpenLimited is [Open] with other limits.
func OpenLimited(ctx context.Context, name string, l Limits) (*File, error) {
	f := &File{Name: name}
	in, size, err := f.source(ctx, name, l)
	if err != nil {
		f.Close()
		return nil, err
	}
	bounded := &bounded{Reader: in, ctx: ctx, f: f, limits: l, end: time.Now().Add(l.Time)}
	if err := f.decode(bounded, size); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// source returns the raw bytes of a file, and their number; 0 = unknown.
func (f *File) source(ctx context.Context, name string, l Limits) (io.Reader, int64, error) {
	if name == "-" {
		f.Name = "standard input"
		r, err := standardInput(ctx, f, os.Stdin, l)
		return r, 0, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if err := regular(name, info); err != nil { // before opening, because opening a device can have effects
		return nil, 0, err
	}
	in, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, err
	}
	f.closers = append(f.closers, in)
	if info, err = in.Stat(); err != nil {
		return nil, 0, err
	}
	if err := regular(name, info); err != nil {
		return nil, 0, err
	}
	if info.Size() == 0 { // also a file in /proc
		return in, 0, nil
	}
	return io.NewSectionReader(in, 0, info.Size()), info.Size(), nil // without data added later
}

func regular(name string, info fs.FileInfo) error {
	kind := ""
	switch m := info.Mode(); {
	case m.IsRegular():
		if own(info) {
			return &NotFileError{name, "this program's own output"}
		}
		return nil
	case m.IsDir():
		kind = "a directory"
	case m&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case m&fs.ModeSocket != 0:
		kind = "a socket"
	default:
		kind = "a device"
	}
	return &NotFileError{name, kind}
}

// own reports whether this program writes to the file, such as /dev/stdout with
// redirected output.
func own(info fs.FileInfo) bool {
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if out, err := f.Stat(); err == nil && os.SameFile(info, out) {
			return true
		}
	}
	return false
}

// bounded ends reads with the context, and after the time limit.
type bounded struct {
	io.Reader
	ctx    context.Context
	f      *File
	limits Limits
	end    time.Time
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	if time.Now().After(b.end) {
		b.f.note("only the part read in %s", b.limits.Time)
		b.Reader = eof{}
	}
	n, err := b.Reader.Read(p)
	if err != nil && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// first ends after a number of bytes, and notes if there were more.
type first struct {
	r    *bufio.Reader
	f    *File
	left int64
	size int64
}

func (l *first) Read(p []byte) (int, error) {
	if l.left <= 0 {
		if _, err := l.r.Peek(1); err == nil && l.size > 0 {
			l.f.note("only the first %d bytes", l.size)
			l.size = 0
		}
		return 0, io.EOF
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		l.f.note("the compressed file is incomplete")
		err = io.EOF
	}
	return n, err
}
