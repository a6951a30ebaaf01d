package logs

import (
	"bytes"
	"io"
)

// BufferSize is what is held of a log at once, in bytes. It is the longest line
// that is read whole; of a longer one only the beginning is.
const BufferSize = 256 << 10

// Scan calls line for every line of a log, without its end. The bytes are valid
// during the call only.
func Scan(r io.Reader, line func([]byte)) (read int64, err error) {
	buf := make([]byte, BufferSize)
	have, skipping := 0, false
	for {
		n, err := r.Read(buf[have:])
		read += int64(n)
		have += n
		rest := buf[:have]
		for {
			one, others, ok := bytes.Cut(rest, []byte{'\n'})
			if !ok {
				break
			}
			if !skipping {
				line(one)
			}
			skipping, rest = false, others
		}
		if len(rest) == BufferSize { // no end in sight
			if !skipping {
				line(rest)
			}
			skipping, rest = true, nil
		}
		have = copy(buf, rest)
		if err != nil {
			if have > 0 && !skipping {
				line(buf[:have])
			}
			if err == io.EOF {
				err = nil
			}
			return read, err
		}
	}
}
