package logging

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// contents returns the contents of all files of a log, by the ends of their names.
func contents(t *testing.T, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := filepath.Glob(filepath.Dir(name) + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, zipped) {
			z, err := gzip.NewReader(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		all[strings.TrimPrefix(f, name)] = string(raw)
	}
	return all
}

func TestRotate(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	l, err := openLogFile(name, Rotate{Size: 10, Keep: 3, Compress: true}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if _, err := fmt.Fprintf(l, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
		l.compressing.Wait()
	}
	if _, err := l.Write([]byte("longer than a file\n")); err != nil {
		t.Fatal(err)
	}
	l.compressing.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := contents(t, name)
	for end, want := range map[string]string{"": "longer than a file\n", ".1": "line 5\n", ".2.gz": "line 4\n", ".3.gz": "line 3\n"} {
		if got[end] != want {
			t.Errorf("%s: got %q, want %q", end, got[end], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("there are %v", got)
	}
	if info, err := os.Stat(name + ".2.gz"); err != nil || info.Mode().Perm() != logMode {
		t.Errorf("got %v, %v", info, err)
	}
}

// TestNotRotated: without a size no file is moved, and an empty file never is.
func TestNotRotated(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	for _, r := range []Rotate{{}, {Size: 1 << 20, Keep: 1}} {
		l, err := openLogFile(name, r, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(l, "a line")
		l.Close()
	}
	if got := contents(t, name); len(got) != 1 || got[""] != "a line\na line\n" {
		t.Errorf("got %v", got)
	}
}

// TestRotateTogether: several writers of one file, like two processes during an upgrade,
// lose no line and write none twice, while each of them may move the file.
func TestRotateTogether(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	const writers, lines = 4, 400
	var wg sync.WaitGroup
	for w := range writers {
		l, err := openLogFile(name, Rotate{Size: 2000, Keep: 50, Compress: w%2 == 0}, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := range lines {
				if _, err := fmt.Fprintf(l, "%d-%d-%s\n", w, i, strings.Repeat("x", 20)); err != nil {
					t.Error(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := contents(t, name)
	seen := map[string]int{}
	for end, text := range all {
		if strings.Contains(end, "goodgate") {
			t.Errorf("%s is left", end)
		}
		for line := range strings.Lines(text) {
			seen[line]++
		}
	}
	for w := range writers {
		for i := range lines {
			if line := fmt.Sprintf("%d-%d-%s\n", w, i, strings.Repeat("x", 20)); seen[line] != 1 {
				t.Errorf("%s is there %d times", line, seen[line])
			}
		}
	}
	if len(seen) != writers*lines || len(all) < 3 {
		t.Errorf("%d lines in %d files", len(seen), len(all))
	}
}

// TestRotateFails: if files cannot be moved, the log continues and reports this once.
func TestRotateFails(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	var told []error
	l, err := openLogFile(name, Rotate{Size: 10, Keep: 1}, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(name+".1/not empty", 0o700); err != nil { // prevents its removal
		t.Fatal(err)
	}
	for range 5 {
		if _, err := fmt.Fprintln(l, "a line"); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	if got, _ := os.ReadFile(name); strings.Count(string(got), "a line\n") != 5 || len(told) != 1 {
		t.Errorf("got %q, told of %v", got, told)
	}
}

// TestLocked: while another process moves files, the log continues in the present file
// without waiting. It reports a lock that is held for long.
func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		var told []error
		l, err := openLogFile(name, Rotate{Size: 10, Keep: 1}, func(err error) { told = append(told, err) })
		if err != nil {
			t.Fatal(err)
		}
		other, err := openAppend(name)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		unlock, err := lockFile(other)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			fmt.Fprintln(l, "a line")
		}
		if len(told) != 0 {
			t.Errorf("told of %v at once", told)
		}
		for range 3 {
			time.Sleep(lockedFor)
			fmt.Fprintln(l, "a line")
		}
		if len(told) != 1 || !errors.Is(told[0], errLocked) {
			t.Errorf("told of %v, want %v once", told, errLocked)
		}
		unlock()
		time.Sleep(retryRotate)
		fmt.Fprintln(l, "new")
		l.Close()
		if got := contents(t, name); got[""] != "new\n" || got[".1"] != strings.Repeat("a line\n", 6) {
			t.Errorf("got %v", got)
		}
	})
}

// TestMoved: the log does not write to a file that was moved away.
func TestMoved(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	l, err := openLogFile(name, Rotate{Size: 1 << 20, Keep: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(l, "one")
	os.Rename(name, name+".old")
	fmt.Fprintln(l, "two")
	os.Remove(name)
	fmt.Fprintln(l, "three")
	l.Close()
	if got := contents(t, name); got[""] != "three\n" || got[".old"] != "one\n" {
		t.Errorf("got %v", got)
	}
}

// TestPartialLine: after a partly written line, the next one starts on a new line.
func TestPartialLine(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	l, err := openLogFile(name, Rotate{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Write([]byte("one\ntw")) // like on a full disk
	l.Write([]byte("three\n"))
	l.Close()
	if got := contents(t, name)[""]; got != "one\ntw\nthree\n" {
		t.Errorf("got %q", got)
	}
}

// short accepts some bytes of each write, and then fails.
type short struct {
	file
	room int
}

func (s *short) Write(p []byte) (int, error) {
	n := min(s.room, len(p))
	s.room -= n
	s.file.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// TestFullDisk: lines that do not fit are counted and reported once. The log continues
// when there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	out := &short{room: 10}
	var told []error
	w := NewWriter(WriterOptions{Out: out, Trouble: func(err error) { told = append(told, err) }})
	for range 4 {
		w.Write([]byte("1234\n"))
	}
	w.writeOnce(nil)
	for range 3 {
		w.Write([]byte("lost\n"))
		w.writeOnce(nil)
	}
	out.room = 100
	w.Write([]byte("kept\n"))
	w.writeOnce(nil)
	w.Close()
	if out.String() != "1234\n1234\nkept\n" || w.Dropped() != 5 || len(told) != 2 || told[0] == nil || told[1] != nil {
		t.Errorf("got %q, dropped %d, told %v", out.String(), w.Dropped(), told)
	}
}

// TestDevFull: a log on a full device does not stop the program, and another output
// reports it.
func TestDevFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	events := filepath.Join(t.TempDir(), "events")
	l, err := Open(Options{Name: "main", Output: "/dev/full", Sample: 1, Records: Requests, More: []Options{{Output: events, Records: Events}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for range 100 {
			l.Access(record(nil))
		}
		l.out.sinks[0].file.wake()
	}
	l.out.sinks[0].file.Close() // closes before the other one, which reports it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	raw := strings.Join(read(t, events), "\n")
	if l.DroppedBy()["main"] != 300 || strings.Count(raw, "log output fails") != 1 || !strings.Contains(raw, "no space left") {
		t.Errorf("dropped %v, told\n%s", l.DroppedBy(), raw)
	}
}

// TestLogrotate: logrotate moves files away under load in both of its ways, with a
// signal and with copytruncate. No record is lost.
func TestLogrotate(t *testing.T) {
	t.Parallel()
	logrotate := program(t, "logrotate")
	for _, way := range []string{"nocopytruncate", "copytruncate"} {
		dir := t.TempDir()
		name, conf := filepath.Join(dir, "log"), filepath.Join(dir, "conf")
		if err := os.WriteFile(conf, fmt.Appendf(nil, "%q {\n  rotate 20\n  %s\n  su root root\n}\n", name, way), 0o600); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() != 0 {
			os.WriteFile(conf, fmt.Appendf(nil, "%q {\n  rotate 20\n  %s\n}\n", name, way), 0o600)
		}
		l, err := Open(Options{Output: name, Format: "$uri", Records: Requests, Sample: 1})
		if err != nil {
			t.Fatal(err)
		}
		const rounds, each = 5, 50
		for i := range rounds * each {
			r := record(nil)
			r.Path = fmt.Sprintf("/%d/", i)
			l.Access(r)
			if i%each != each-1 {
				continue
			}
			if way == "copytruncate" { // which may lose records written meanwhile
				l.out.sinks[0].file.writeOnce(nil)
			}
			if out, err := exec.Command(logrotate, "-f", "-s", filepath.Join(dir, "state"), conf).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if way != "copytruncate" {
				if err := l.Reopen(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for end, text := range contents(t, name) {
			if strings.HasPrefix(end, ".") || end == "" {
				all.WriteString(text)
			}
		}
		for i := range rounds * each {
			if n := strings.Count(all.String(), fmt.Sprintf("/%d/\n", i)); n != 1 {
				t.Errorf("%s: record %d is there %d times", way, i, n)
			}
		}
	}
}
