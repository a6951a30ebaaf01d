package h2frame

import "testing"

// The windows of streams are followed for as long as a stream lives, and no longer.
func TestWindows(t *testing.T) {
	w := newWindows()
	for id := uint32(1); id < 10_000; id += 2 {
		w.open(id)
		if err := w.grant(id, maxWindow-65535); err != nil {
			t.Fatal(err)
		}
		if err := w.grant(id, 1); err != errWindow {
			t.Fatalf("got %v, want %v", err, errWindow)
		}
		w.grant(id, -1)
		w.open(id) // by a trailer
		if err := w.grant(id, 0); err != nil {
			t.Fatal(err)
		}
		if err := w.grant(id+2, 1); err != errIdle {
			t.Fatalf("got %v, want %v", err, errIdle)
		}
		w.end(id)
		w.grant(id, 1) // is no sign of life
	}
	if n := len(w.streams); n > minPrune {
		t.Errorf("streams kept: got %d, want at most %d", n, minPrune)
	}
}
