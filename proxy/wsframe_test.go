package proxy

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// frameOf returns a frame with a payload of n bytes.
func frameOf(op byte, masked bool, n int) []byte {
	b := []byte{finBit | op}
	mask := byte(0)
	if masked {
		mask = maskBit
	}
	switch {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = append(b, mask|126, byte(n>>8), byte(n))
	default:
		b = append(b, mask|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if masked {
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, bytes.Repeat([]byte{0x88}, n)...) // bytes that look like Close frames
}

// TestFramesAreFollowed: however the bytes are cut, follow finds the ends of the frames.
func TestFramesAreFollowed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var all []byte
		ends := map[int]bool{}
		for range 20 {
			size := []int{0, 1, 125, 126, 127, 65535, 65536, 70000}[rnd.IntN(8)]
			all = append(all, frameOf(byte(rnd.IntN(3)), rnd.IntN(2) == 0, size)...)
			ends[len(all)] = true
		}
		var f frames
		for at := 0; at < len(all); {
			part := all[at:min(len(all), at+1+rnd.IntN([]int{3, 200, 100000}[rnd.IntN(3)]))]
			n := f.follow(part)
			if n < 1 || n < len(part) && !f.between() {
				t.Fatalf("took %d of %d in the middle of a frame", n, len(part))
			}
			at += n
			if f.between() != ends[at] {
				t.Fatalf("at %d: between frames %v, want %v", at, f.between(), ends[at])
			}
		}
		if f.closed {
			t.Error("a payload was taken for a Close frame")
		}
	}
	var f frames
	f.follow(frameOf(opClose, true, 2))
	if !f.closed {
		t.Error("a Close frame was not seen")
	}
}
