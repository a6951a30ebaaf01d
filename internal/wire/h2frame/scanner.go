package h2frame

import "encoding/binary"

// The kinds of frames that matter here, and the length of what precedes a payload.
const (
	Data         = 0
	Headers      = 1
	Settings     = 4
	Ping         = 6
	GoAway       = 7
	WindowUpdate = 8
	Continuation = 9
	HeaderSize   = 9
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

// Frame is the beginning of a frame, or one of the settings in a SETTINGS, which
// follow it one by one.
type Frame struct {
	Kind     byte
	Length   int // of the payload
	Stream   uint32
	Last     uint32 // of a GOAWAY: the last stream that was or might be processed
	Code     uint32 // of a GOAWAY: why
	Complete bool   // of a SETTINGS that acknowledges nothing: no setting follows

	setting uint16 // which; 0 = it is none
	value   uint32 // of a setting; of a WINDOW_UPDATE: by how much
}

// Scanner finds the frames in a stream of bytes that comes in any portions. The zero
// value is at the beginning of a stream. It is for one goroutine.
type Scanner struct {
	skip     int // bytes before the next frame
	settings int // before the next frame
	n        int // bytes in buf
	buf      [HeaderSize + goAwayPayload]byte
}

// Next takes bytes off p up to the next beginning of a frame, and reports false
// when they do not hold one to its end.
func (s *Scanner) Next(p *[]byte) (Frame, bool) {
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
	return Frame{}, false
}

// want returns how many bytes are needed.
func (s *Scanner) want() int {
	switch {
	case s.settings > 0:
		return settingSize
	case s.n < HeaderSize:
	case s.buf[3] == GoAway && s.length() >= goAwayPayload:
		return HeaderSize + goAwayPayload
	case s.buf[3] == WindowUpdate && s.length() >= windowUpdatePayload:
		return HeaderSize + windowUpdatePayload
	}
	return HeaderSize
}

func (s *Scanner) length() int { return int(binary.BigEndian.Uint32(s.buf[:4]) >> 8) }

// take returns what is in buf.
func (s *Scanner) take() Frame {
	defer func() { s.n = 0 }()
	if s.settings > 0 {
		s.settings--
		return Frame{
			Kind:     Settings,
			setting:  binary.BigEndian.Uint16(s.buf[:]),
			value:    binary.BigEndian.Uint32(s.buf[2:]),
			Complete: s.settings == 0,
		}
	}
	const reserved = 1 << 31
	f := Frame{Length: s.length(), Kind: s.buf[3], Stream: binary.BigEndian.Uint32(s.buf[5:]) &^ reserved}
	payload := s.buf[HeaderSize:s.n]
	s.skip = f.Length - len(payload)
	switch {
	case f.Kind == Settings && s.buf[4]&flagAck == 0:
		s.settings = f.Length / settingSize
		s.skip = f.Length % settingSize // an odd one, which ends the connection
		f.Complete = s.settings == 0
	case f.Kind == GoAway && len(payload) > 0:
		f.Last = binary.BigEndian.Uint32(payload) &^ reserved
		f.Code = binary.BigEndian.Uint32(payload[4:])
	case f.Kind == WindowUpdate && len(payload) > 0:
		f.value = binary.BigEndian.Uint32(payload) &^ reserved
	}
	return f
}
