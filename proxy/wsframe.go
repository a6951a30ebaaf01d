package proxy

import "encoding/binary"

// frames follows the frames of one direction of a WebSocket connection (RFC 6455,
// section 5.2) as they go by, to know where one ends. The zero value is at the
// beginning of the first.
type frames struct {
	head   [14]byte // of the frame that has begun, as far as it has come
	n      int      // bytes in head
	left   uint64   // bytes of its payload that are still to come
	closed bool     // a Close frame has begun
}

const (
	opClose       = 0x8
	goingAway     = 1001 // RFC 6455, section 7.4.1
	maskBit       = 0x80
	finBit        = 0x80
	longestLength = 8
)

// between reports whether no frame has begun that has not ended.
func (f *frames) between() bool { return f.n == 0 && f.left == 0 }

// follow takes what comes, up to the end of the frame that it is in: it returns how
// many bytes of p that are.
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

// size returns the length of the frame's head, as far as that is known.
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

// lengthBytes returns the bytes that the extended length takes.
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

// closeFrame returns a Close frame. What a client sends is masked; by 0, since there
// is nothing to hide from anybody in between.
func closeFrame(code uint16, masked bool) []byte {
	if masked {
		return []byte{finBit | opClose, maskBit | 2, 0, 0, 0, 0, byte(code >> 8), byte(code)}
	}
	return []byte{finBit | opClose, 2, byte(code >> 8), byte(code)}
}
