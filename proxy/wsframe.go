package proxy

import "encoding/binary"

// frames follows the frames of one direction of a WebSocket connection (RFC 6455, section
// 5.2), to know where a frame ends. The zero value is at the beginning of the first
// frame.
type frames struct {
	head   [14]byte // the bytes of the current frame's head that have arrived
	n      int      // bytes in head
	left   uint64   // bytes of its payload that have not arrived yet
	closed bool     // a Close frame has begun
}

const (
	opClose       = 0x8
	goingAway     = 1001 // RFC 6455, section 7.4.1
	maskBit       = 0x80
	finBit        = 0x80
	longestLength = 8
)

// between reports whether the connection is between two frames.
func (f *frames) between() bool { return f.n == 0 && f.left == 0 }

// follow consumes bytes of p up to the end of the current frame, and returns their
// number.
func (f *frames) follow(p []byte) (n int) {
	for n < len(p) {
		if f.left > 0 {
			step := min(f.left, uint64(len(p)-n))
			n += int(step)
			f.left -= step
			if f.left == 0 {
				return n
			}
			continue
		}
		f.head[f.n] = p[n]
		f.n++
		n++
		if size := f.size(); f.n < size {
			continue
		}
		f.left = f.payload()
		f.closed = f.closed || f.head[0]&0xf == opClose
		f.n = 0
		if f.left == 0 {
			return n
		}
	}
	return n
}

// size returns the length of the frame's head, as far as it is known.
func (f *frames) size() int {
	if f.n < 2 {
		return 2
	}
	size := 2 + f.lengthBytes()
	if f.head[1]&maskBit != 0 {
		size += 4
	}
	return size
}

// lengthBytes returns the number of bytes of the extended length.
func (f *frames) lengthBytes() int {
	switch f.head[1] &^ maskBit {
	case 126:
		return 2
	case 127:
		return longestLength
	}
	return 0
}

func (f *frames) payload() uint64 {
	switch f.lengthBytes() {
	case 2:
		return uint64(binary.BigEndian.Uint16(f.head[2:]))
	case longestLength:
		return binary.BigEndian.Uint64(f.head[2:])
	}
	return uint64(f.head[1] &^ maskBit)
}

// closeFrame returns a Close frame. Clients must mask theirs. The mask is 0, since there
// is nothing to hide from programs in between.
func closeFrame(code uint16, masked bool) []byte {
	if masked {
		return []byte{finBit | opClose, maskBit | 2, 0, 0, 0, 0, byte(code >> 8), byte(code)}
	}
	return []byte{finBit | opClose, 2, byte(code >> 8), byte(code)}
}
