package logging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Rotate configures when goodgate itself starts a new file. The zero value means never.
type Rotate struct {
	Size     int64 // limit on a file in bytes, except for the records of one write
	Keep     int   // number of older files; NAME.1 is the newest
	Compress bool  // compress the older files except the newest one, as NAME.2.gz
}

const (
	logMode = 0o640
	// retryRotate is the time after a failure in which no file is moved.
	retryRotate = time.Minute
	// lockedFor is the time from which another process that holds the lock is a failure.
	// Moving the files takes it only a moment.
	lockedFor = time.Minute
)

var errLocked = errors.New("another process holds the file's lock")

// logFile is a log's file. Several processes may write to the same file: each write is
// a number of complete lines at its end.
//
// Names change only under the lock of the file that has the name at that moment. So if
// two processes want to move a file, one of them moves it, and the other one continues
// in the new file.
type logFile struct {
	name    string
	rotate  Rotate
	trouble func(error) // called if a file cannot be moved; may be nil
	file    *os.File
	torn    bool      // the file ends with an incomplete line
	resting time.Time // no file is moved until then
	locked  time.Time // another process has held the lock since then; zero = it has not

	stop        chan struct{} // closed by Close
	compressing sync.WaitGroup
	mu          sync.Mutex // protects busy
	busy        bool       // older files are being compressed
}

func openLogFile(name string, r Rotate, trouble func(error)) (*logFile, error) {
	l := &logFile{name: name, rotate: r, trouble: trouble, stop: make(chan struct{})}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func openAppend(name string) (*os.File, error) {
	how := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(name); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		how = os.O_RDWR // opened for writing only, a pipe makes goodgate wait for a reader
	}
	return os.OpenFile(name, how, logMode)
}

// open continues in the file that has the name now.
func (l *logFile) open() error {
	f, err := openAppend(l.name)
	if err != nil {
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.torn = f, false
	return nil
}

// Write appends lines. After a partly written line, the next write starts a new one.
func (l *logFile) Write(p []byte) (int, error) {
	if l.rotate.Size > 0 {
		l.mayRotate(int64(len(p)))
	}
	if l.torn {
		if _, err := l.file.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		l.torn = false
	}
	n, err := l.file.Write(p)
	l.torn = n > 0 && p[n-1] != '\n'
	return n, err
}

// Close ends the use of the file. It leaves older files whose compression is in
// progress unchanged.
func (l *logFile) Close() error {
	close(l.stop)
	l.compressing.Wait()
	return l.file.Close()
}

// mayRotate starts a new file if the next bytes do not fit into the present one.
func (l *logFile) mayRotate(more int64) {
	info, moved, err := l.look()
	switch {
	case moved:
		err = l.open() // another process has moved the file
	case err != nil || info.Size() == 0 || info.Size()+more <= l.rotate.Size || time.Now().Before(l.resting):
	default:
		err = l.next(more)
	}
	if errors.Is(err, errLocked) && l.waits(time.Now()) {
		return
	}
	l.locked = time.Time{}
	if err == nil {
		return
	}
	if l.resting.IsZero() && l.trouble != nil {
		l.trouble(fmt.Errorf("no new file: %w", err))
	}
	l.resting = time.Now().Add(retryRotate)
}

// waits reports whether to leave the files to the process that holds the lock, and to
// continue in the present file until the next write.
func (l *logFile) waits(now time.Time) bool {
	if l.locked.IsZero() {
		l.locked = now
	}
	return now.Sub(l.locked) < lockedFor
}

// look returns the state of the open file, and whether another one has its name.
func (l *logFile) look() (info fs.FileInfo, moved bool, err error) {
	named, err := os.Stat(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	info, err = l.file.Stat()
	return info, err == nil && !os.SameFile(named, info), err
}

// next moves the files and opens a new one, unless another process has just done so.
func (l *logFile) next(more int64) error {
	old := l.file
	unlock, err := lockFile(old)
	if err != nil {
		return err
	}
	info, moved, err := l.look()
	if err != nil || !moved && info.Size()+more <= l.rotate.Size {
		unlock()
		return err
	}
	if !moved {
		err = l.shift()
	}
	if err == nil {
		l.file, err = openAppend(l.name)
	}
	if err != nil {
		l.file = old // the next check determines whether it was moved
		unlock()
		return err
	}
	old.Close() // also releases the lock
	l.torn, l.resting = false, time.Time{}
	l.compress()
	return nil
}

// aged returns the name of an older file.
func (l *logFile) aged(n int) string { return fmt.Sprintf("%s.%d", l.name, n) }

// zipped is the suffix of a compressed file.
const zipped = ".gz"

// shift renames NAME to NAME.1, NAME.1 to NAME.2 and so on, and removes the oldest
// file.
func (l *logFile) shift() error {
	for n := l.rotate.Keep; n >= 1; n-- {
		for _, end := range []string{"", zipped} {
			var err error
			if n == l.rotate.Keep {
				err = os.Remove(l.aged(n) + end)
			} else {
				err = os.Rename(l.aged(n)+end, l.aged(n+1)+end)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if l.rotate.Keep < 1 {
		return os.Remove(l.name)
	}
	return os.Rename(l.name, l.aged(1))
}
