package printable

import (
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns an equivalent JSON text that has only printable characters, besides the
// line breaks and spaces between its values. Encoders escape C0, but not C1, DEL and
// bidi overrides. JSON returns data itself if it has none of these.
func JSON(data []byte) []byte { return rewrite(data, escapeJSON) }

// Record makes lines of a log in a format other than JSON printable. It returns data
// itself if they already are.
func Record(data []byte) []byte { return rewrite(data, escapeLine) }

// Writer passes each write through form, [JSON] or [Record].
type Writer struct {
	To   io.Writer
	Form func([]byte) []byte
}

// Write implements [io.Writer].
func (w Writer) Write(p []byte) (int, error) {
	if n, err := w.To.Write(w.Form(p)); err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// rewrite applies escape to the characters that an encoder has left unescaped. It
// returns data itself if there are none.
func rewrite(data []byte, escape func(b []byte, r rune, size int, raw byte) []byte) []byte {
	from := suspect(data)
	if from == len(data) {
		return data
	}
	b := append(make([]byte, 0, len(data)+64), data[:from]...)
	for i := from; i < len(data); {
		r, size := rune(data[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(data[i:])
		}
		if printable(r, size) || r == '\n' || r == '\t' {
			b = append(b, data[i:i+size]...)
		} else {
			b = escape(b, r, size, data[i])
		}
		i += size
	}
	return b
}

// escapeJSON appends a character in a form that is valid in a JSON string. The
// structure of JSON is ASCII, so any other character is in a string.
func escapeJSON(b []byte, r rune, _ int, _ byte) []byte {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return hex(append(hex(append(b, `\u`...), uint32(high), 4), `\u`...), uint32(low), 4)
	}
	return hex(append(b, `\u`...), uint32(r), 4)
}

func escapeLine(b []byte, r rune, size int, raw byte) []byte {
	if size == 1 {
		return hex(append(b, `\x`...), uint32(raw), 2)
	}
	return escape(b, string(r))
}

// suspect returns a position before which data is ASCII without DEL, or len(data). It
// reads eight bytes at once, because it sees every line of a log. The encoder already
// escapes C0.
func suspect(data []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(data); i += 8 {
		v := binary.LittleEndian.Uint64(data[i:])
		del := v ^ 0x7f*ones // a zero byte marks a DEL in v
		if (v|(del-ones)&^del)&high != 0 {
			return i
		}
	}
	for ; i < len(data); i++ {
		if data[i] >= 0x7f {
			return i
		}
	}
	return i
}
