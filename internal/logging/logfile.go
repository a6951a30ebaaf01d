package logging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Rotate says when goodgate itself begins a new file. The zero value never does.
type Rotate struct {
	Size     int64 // bytes of a file at most, but for the records of one write
	Keep     int   // older files: NAME.1 is the newest
	Compress bool  // the older ones but the newest, as NAME.2.gz
}

const (
	logMode = 0o640
	// retryRotate is how long after a failure nothing is moved.
	retryRotate = time.Minute
)

// logFile is a log's file. Several processes may write to the same: each write is whole
// lines at the file's end.
//
// Names change only under the lock of the file that has the name at that moment, so that
// of two processes one moves a file, and the other goes on in the new one.
type logFile struct {
	name    string
	rotate  Rotate
	trouble func(error) // told when a file cannot be moved; may be nil
	file    *os.File
	torn    bool      // the file ends within a line
	resting time.Time // until then nothing is moved

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
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, logMode)
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

// Write appends lines. After a failure within a line the next write begins a new one.
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

// Close ends the use of the file. Older files that are being compressed stay as they are.
func (l *logFile) Close() error {
	close(l.stop)
	l.compressing.Wait()
	return l.file.Close()
}

// mayRotate begins a new file when the next bytes do not fit in the present one.
func (l *logFile) mayRotate(more int64) {
	info, moved, err := l.look()
	switch {
	case moved:
		err = l.open() // somebody has moved the file
	case err != nil || info.Size() == 0 || info.Size()+more <= l.rotate.Size || time.Now().Before(l.resting):
	default:
		err = l.next(more)
	}
	if err == nil {
		return
	}
	if l.resting.IsZero() && l.trouble != nil {
		l.trouble(fmt.Errorf("no new file: %w", err))
	}
	l.resting = time.Now().Add(retryRotate)
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
		l.file = old // the next look finds out whether it was moved
		unlock()
		return err
	}
	old.Close() // and with it the lock
	l.torn, l.resting = false, time.Time{}
	l.compress()
	return nil
}

// aged is the name of an older file.
func (l *logFile) aged(n int) string { return fmt.Sprintf("%s.%d", l.name, n) }

// zipped is the end of a compressed file's name.
const zipped = ".gz"

// shift makes NAME become NAME.1, NAME.1 become NAME.2 and so on. The oldest goes.
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
