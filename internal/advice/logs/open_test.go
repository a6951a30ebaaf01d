package logs_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

const text = "one\ntwo\nthree\n"

func write(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "error.log")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string, l logs.Limits) (string, []string) {
	t.Helper()
	f, err := logs.OpenLimited(t.Context(), name, l)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), f.Notes()
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.Bytes()
}

func zstandard(t *testing.T, s string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(s), nil)
}

func wide(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func TestOpen(t *testing.T) {
	for name, content := range map[string][]byte{
		"plain": []byte(text), "gzip": gzipped(text), "zstd": zstandard(t, text), "two gzips": append(gzipped(text[:4]), gzipped(text[4:])...),
		"byte order mark": []byte("\xef\xbb\xbf" + text), "PowerShell": wide(text), "gzip with a mark": gzipped("\xef\xbb\xbf" + text),
	} {
		if got, notes := read(t, write(t, content), logs.DefaultLimits()); got != text || notes != nil {
			t.Errorf("%s: got %q, notes %q", name, got, notes)
		}
	}
	if got, _ := read(t, write(t, nil), logs.DefaultLimits()); got != "" {
		t.Errorf("an empty file: %q", got)
	}
	if _, err := logs.Open(t.Context(), write(t, []byte("\xfd7zXZ\x00"))); err == nil || !strings.Contains(err.Error(), "xz -dc") {
		t.Errorf("xz: %v", err)
	}
}

func TestOpenCutOff(t *testing.T) {
	whole := gzipped(strings.Repeat(text, 1000))
	if got, notes := read(t, write(t, whole[:len(whole)-9]), logs.DefaultLimits()); !strings.HasPrefix(got, text) || len(notes) != 1 {
		t.Errorf("got %d bytes, notes %q", len(got), notes)
	}
}

func TestOpenBounds(t *testing.T) {
	l := logs.Limits{Bytes: 9, Time: time.Hour, Idle: time.Hour}
	if got, notes := read(t, write(t, []byte(text)), l); got != "three\n" || len(notes) != 1 || !strings.Contains(notes[0], "last 9 bytes of 14") {
		t.Errorf("a large file: %q, notes %q", got, notes)
	}
	if got, notes := read(t, write(t, gzipped(text)), l); got != text[:9] || len(notes) != 1 || !strings.Contains(notes[0], "first 9 bytes") {
		t.Errorf("a large compressed file: %q, notes %q", got, notes)
	}
	l = logs.Limits{Bytes: 1 << 20, Time: 1, Idle: time.Hour}
	if _, notes := read(t, write(t, []byte(text)), l); len(notes) != 1 || !strings.Contains(notes[0], "1ns") {
		t.Errorf("no time: notes %q", notes)
	}
}

// TestOpenNoFile checks that Open rejects anything that might block for ever.
func TestOpenNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "access.log")
	if err := os.Symlink("/dev/stdout", link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, dir, "/dev/null", "/dev/tty", link} {
		_, err := logs.Open(t.Context(), name)
		var no *logs.NotFileError
		if !errors.As(err, &no) && !(name == link && errors.Is(err, os.ErrPermission)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := logs.Open(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// stdin replaces the standard input by a pipe, and returns its other end.
func stdin(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = was; r.Close(); w.Close() })
	return w
}

func TestStandardInput(t *testing.T) {
	w := stdin(t)
	go func() { w.Write(gzipped(text)); w.Close() }()
	if got, notes := read(t, "-", logs.DefaultLimits()); got != text || notes != nil {
		t.Errorf("got %q, notes %q", got, notes)
	}
}

// TestStandardInputEnds checks that a waiting read ends with the context, or after a
// time without input.
func TestStandardInputEnds(t *testing.T) {
	w := stdin(t)
	io.WriteString(w, text)
	ctx, cancel := context.WithCancelCause(t.Context())
	f, err := logs.Open(ctx, "-")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(f, b); err != nil || string(b) != text {
		t.Fatalf("read %q, %v", b, err)
	}
	enough := errors.New("enough")
	done := make(chan error)
	go func() { _, err := f.Read(b); done <- err }()
	cancel(enough)
	if err := <-done; !errors.Is(err, enough) {
		t.Errorf("a read that waits ended with %v", err)
	}
	l := logs.DefaultLimits()
	l.Idle = 1
	if got, notes := read(t, "-", l); got != "" || len(notes) != 1 {
		t.Errorf("a silent pipe: %q, notes %q", got, notes)
	}
}
