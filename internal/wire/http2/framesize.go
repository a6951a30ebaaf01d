package http2

import (
	"encoding/binary"

	"github.com/goodgate/goodgate/internal/wire/h2frame"
)

// mostSent is the largest frame to send, in bytes: the size that every upstream must
// accept (RFC 9113, section 4.2). For each request body net/http holds a buffer of the
// upstream's SETTINGS_MAX_FRAME_SIZE, up to 512 KiB, even while it waits for a client.
const mostSent = 16 << 10

// settingMaxFrame is SETTINGS_MAX_FRAME_SIZE, and settingSize the length of a
// setting.
const (
	settingMaxFrame = 5
	settingSize     = 6
)

// frameLimit lowers SETTINGS_MAX_FRAME_SIZE in the received bytes, which may arrive in
// any portions.
type frameLimit struct {
	head    [h2frame.HeaderSize]byte
	n       int // bytes in head
	left    int // remaining bytes of the frame's payload
	setting [2]byte
	at      int // position of the next byte in a setting
}

// apply changes p in place.
func (l *frameLimit) apply(p []byte) {
	for len(p) > 0 {
		if l.left == 0 {
			n := copy(l.head[l.n:], p)
			p = p[n:]
			if l.n += n; l.n == h2frame.HeaderSize {
				l.n, l.at = 0, 0
				l.left = int(binary.BigEndian.Uint32(l.head[:4]) >> 8)
			}
			continue
		}
		n := min(l.left, len(p))
		if l.head[3] == h2frame.Settings {
			l.lower(p[:n])
		}
		p = p[n:]
		l.left -= n
	}
}

// lower processes a part of a SETTINGS frame's payload.
func (l *frameLimit) lower(p []byte) {
	var value [4]byte
	binary.BigEndian.PutUint32(value[:], mostSent)
	for i := range p {
		if l.at < len(l.setting) {
			l.setting[l.at] = p[i]
		} else if binary.BigEndian.Uint16(l.setting[:]) == settingMaxFrame {
			p[i] = value[l.at-len(l.setting)]
		}
		l.at = (l.at + 1) % settingSize
	}
}
