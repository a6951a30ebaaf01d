package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"testing"
	"testing/iotest"
)

// FuzzChunks compares with the decoder of the standard library, however the
// bytes come in, and with reads that have to be taken up again.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n", "5;a=b \r\nhello\r\n0;c\r\n\r\n", "0\r\n", "00\r\n", "5\r\nhell", "5\r\nhelloX\r\n", "5\nhello\r\n0\r\n",
		"fffffffffffffffff\r\n", "+5\r\nhello\r\n0\r\n", "\r\n", "05\r\nhello\r\n0A \r\n0123456789\r\n0\r\n", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
	} {
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, size byte) {
		want, wantErr := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		for name, r := range map[string]io.Reader{
			"at once":     bytes.NewReader(in),
			"by bytes":    iotest.OneByteReader(bytes.NewReader(in)),
			"interrupted": &stutter{in: in},
		} {
			var got bytes.Buffer
			c := &chunks{br: bufio.NewReader(r)}
			err := ErrNotYet
			p := make([]byte, int(size)+1)
			for err == nil || err == ErrNotYet {
				var n int
				n, err = c.Read(p)
				got.Write(p[:n])
			}
			if err == io.EOF {
				err = nil
			}
			if !bytes.Equal(got.Bytes(), want) || (err == nil) != (wantErr == nil) || errors.Is(err, io.ErrUnexpectedEOF) != errors.Is(wantErr, io.ErrUnexpectedEOF) {
				t.Errorf("%s: got %q, %v, want %q, %v", name, got.Bytes(), err, want, wantErr)
			}
		}
	})
}

// stutter gives every other time nothing yet, and else one byte.
type stutter struct {
	in  []byte
	odd bool
}

func (s *stutter) Read(p []byte) (int, error) {
	s.odd = !s.odd
	if s.odd {
		return 0, ErrNotYet
	}
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	p[0] = s.in[0]
	s.in = s.in[1:]
	return 1, nil
}
