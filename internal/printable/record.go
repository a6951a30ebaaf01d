package printable

import (
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns a JSON text that means the same and has only printable
// characters and the line breaks and spaces between its values. Encoders escape
// C0, and let C1, DEL and bidi overrides pass. Without any of these it returns
// data itself.
func JSON(data []byte) []byte { return rewrite(data, escapeJSON) }

// Record returns lines of a log in another form than JSON, in printable
// characters. Without any other it returns data itself.
func Record(data []byte) []byte { return rewrite(data, escapeLine) }

// Writer writes what form, [JSON] or [Record], makes of each write.
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

// rewrite makes data anew when it has a character that an encoder has let pass.
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

// escapeJSON appends a character as a string of JSON may have it. Structure is
// ASCII, so that anything else is in a string.
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

// suspect returns a place before which all is ASCII without DEL, len(data) when
// everything is. It looks at eight bytes at once, as it sees every line of a log.
// C0 is left to the encoder.
func suspect(data []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(data); i += 8 {
		v := binary.LittleEndian.Uint64(data[i:])
		del := v ^ 0x7f*ones // a byte is zero where v has DEL
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
