package h2frame

import "encoding/binary"

// The relevant types of frames, and the length of a frame's header.
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

// The lengths of the relevant parts of payloads.
const (
	goAwayPayload       = 8
	windowUpdatePayload = 4
	settingSize         = 6
)

const (
	flagAck           = 1
	initialWindowSize = 4 // id of the setting
)

// Frame is the beginning of a frame, or one of the settings in a SETTINGS frame, which
// follow it one by one.
type Frame struct {
	Kind     byte
	Length   int // length of the payload
	Stream   uint32
	Last     uint32 // for GOAWAY: the last stream that was or might be processed
	Code     uint32 // for GOAWAY: the error code
	Complete bool   // for SETTINGS without ACK: no setting follows

	setting uint16 // id of the setting; 0 = none
	value   uint32 // value of the setting; for WINDOW_UPDATE: the increment
}

// Scanner finds the frames in a stream of bytes with any division. The zero value is at
// the beginning of a stream. It is for one goroutine.
type Scanner struct {
	skip     int // bytes before the next frame
	settings int // settings before the next frame
	n        int // bytes in buf
	buf      [HeaderSize + goAwayPayload]byte
}

// Next takes bytes off p up to the next beginning of a frame, and returns false if p
// does not complete one.
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

// want returns the number of necessary bytes.
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

// take returns the frame in buf.
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
		s.skip = f.Length % settingSize // of invalid length, which ends the connection
		f.Complete = s.settings == 0
	case f.Kind == GoAway && len(payload) > 0:
		f.Last = binary.BigEndian.Uint32(payload) &^ reserved
		f.Code = binary.BigEndian.Uint32(payload[4:])
	case f.Kind == WindowUpdate && len(payload) > 0:
		f.value = binary.BigEndian.Uint32(payload) &^ reserved
	}
	return f
}
