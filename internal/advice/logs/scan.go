package logs

import (
	"bytes"
	"io"
)

// BufferSize is the size of the read buffer, in bytes. Longer lines are cut to it.
const BufferSize = 256 << 10

// Scan calls line for every line of a log, without the line end. The bytes are valid
// only during the call.
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
		if len(rest) == BufferSize { // longer than the buffer
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
