package buffer

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// parts is a reader with a limit on the bytes per read. It records the room that each
// read had.
type parts struct {
	sizes []int
	rooms []int
	err   error
}

func (r *parts) Read(p []byte) (int, error) {
	r.rooms = append(r.rooms, len(p))
	if len(r.sizes) == 0 {
		return 0, r.err
	}
	n := min(len(p), r.sizes[0])
	r.sizes = r.sizes[1:]
	return n, nil
}

// A buffer grows after reads that filled it and shrinks after small ones.
func TestCopyFits(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	r := &parts{sizes: []int{1, all, all, all, 9000, 1, 1, 1}, err: io.EOF}
	var p Pool
	var out bytes.Buffer
	n, err := p.Copy(&out, r)
	if want := int64(1 + 2<<10 + 8<<10 + 32<<10 + 9000 + 3); n != want || int64(out.Len()) != want || err != nil {
		t.Errorf("got %d of %d bytes, %v; want %d", out.Len(), n, err, want)
	}
	want := []int{2 << 10, 2 << 10, 8 << 10, Largest, Largest, Largest, 8 << 10, 2 << 10, 2 << 10}
	if len(r.rooms) != len(want) {
		t.Fatalf("got %v, want %v", r.rooms, want)
	}
	for i := range want {
		if r.rooms[i] != want[i] {
			t.Errorf("read %d: got room for %d bytes, want %d", i, r.rooms[i], want[i])
		}
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

func TestCopyFails(t *testing.T) {
	t.Parallel()
	var p Pool
	one, two := errors.New("read"), errors.New("write")
	if n, err := p.Copy(io.Discard, &parts{sizes: []int{5}, err: one}); n != 5 || err != one {
		t.Errorf("got %d, %v; want 5, %v", n, err, one)
	}
	if n, err := p.Copy(failing{two}, &parts{sizes: []int{5}, err: one}); n != 0 || err != two {
		t.Errorf("got %d, %v; want 0, %v", n, err, two)
	}
}
