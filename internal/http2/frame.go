package http2

import "encoding/binary"

// The frames that matter here, and the length of what precedes their payload.
const (
	frameData         = 0
	frameHeaders      = 1
	frameSettings     = 4
	frameGoAway       = 7
	frameWindowUpdate = 8
	frameContinuation = 9
	frameHeader       = 9
)

// The beginnings of payloads that matter here.
const (
	goAwayPayload       = 8
	windowUpdatePayload = 4
	settingSize         = 6
)

const (
	flagAck           = 1
	initialWindowSize = 4 // a setting
)

// frame is the beginning of a frame, or one of the settings in a SETTINGS, which
// follow it one by one.
type frame struct {
	length   int // of the payload
	kind     byte
	stream   uint32
	last     uint32 // of a GOAWAY: the last stream that was or might be processed
	code     code   // of a GOAWAY: why
	setting  uint16 // of a setting: which; 0 = it is none
	value    uint32 // of a setting; of a WINDOW_UPDATE: by how much
	complete bool   // of a SETTINGS that acknowledges nothing: no setting follows
}

// scanner finds the frames in a stream of bytes that comes in any portions.
type scanner struct {
	skip     int // bytes before the next frame
	settings int // before the next frame
	n        int // bytes in buf
	buf      [frameHeader + goAwayPayload]byte
}

// next takes bytes off p up to the next beginning of a frame, and reports false
// when they do not hold one to its end.
func (s *scanner) next(p *[]byte) (frame, bool) {
	for len(*p) > 0 {
		if s.n == 0 && s.skip > 0 {
			n := min(s.skip, len(*p))
			*p = (*p)[n:]
			s.skip -= n
			continue
		}
		n := copy(s.buf[s.n:s.want()], *p)
		*p = (*p)[n:]
		s.n += n
		if s.n == s.want() {
			return s.take(), true
		}
	}
	return frame{}, false
}

// want returns how many bytes are needed.
func (s *scanner) want() int {
	switch {
	case s.settings > 0:
		return settingSize
	case s.n < frameHeader:
	case s.buf[3] == frameGoAway && s.length() >= goAwayPayload:
		return frameHeader + goAwayPayload
	case s.buf[3] == frameWindowUpdate && s.length() >= windowUpdatePayload:
		return frameHeader + windowUpdatePayload
	}
	return frameHeader
}

func (s *scanner) length() int { return int(binary.BigEndian.Uint32(s.buf[:4]) >> 8) }

// take returns what is in buf.
func (s *scanner) take() frame {
	defer func() { s.n = 0 }()
	if s.settings > 0 {
		s.settings--
		return frame{
			kind:     frameSettings,
			setting:  binary.BigEndian.Uint16(s.buf[:]),
			value:    binary.BigEndian.Uint32(s.buf[2:]),
			complete: s.settings == 0,
		}
	}
	const reserved = 1 << 31
	f := frame{length: s.length(), kind: s.buf[3], stream: binary.BigEndian.Uint32(s.buf[5:]) &^ reserved}
	payload := s.buf[frameHeader:s.n]
	s.skip = f.length - len(payload)
	switch {
	case f.kind == frameSettings && s.buf[4]&flagAck == 0:
		s.settings = f.length / settingSize
		s.skip = f.length % settingSize // an odd one, which ends the connection
		f.complete = s.settings == 0
	case f.kind == frameGoAway && len(payload) > 0:
		f.last = binary.BigEndian.Uint32(payload) &^ reserved
		f.code = code(binary.BigEndian.Uint32(payload[4:]))
	case f.kind == frameWindowUpdate && len(payload) > 0:
		f.value = binary.BigEndian.Uint32(payload) &^ reserved
	}
	return f
}
