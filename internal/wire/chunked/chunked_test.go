package chunked

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// errNotYet is the deadline error of the reader below.
var errNotYet = errors.New("not yet")

// own matches what this package reads in another way than httputil, which refuses
// blanks before an extension (RFC 9112, section 7.1.1), takes sizes of 64 bits,
// and whose bound on what frames the data overflows from 2^62 on.
var own = regexp.MustCompile(`[0-9a-fA-F]{16}|[ \t];`)

// FuzzChunks compares with the decoder of the standard library, and holds that
// the outcome does not depend on how the bytes come in, with reads that have to be
// taken up again among them.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n", "5;a=b \r\nhello\r\n0;c\r\n\r\n", "0\r\n", "00\r\n", "5\r\nhell", "5\r\nhelloX\r\n", "5\nhello\r\n0\r\n",
		"fffffffffffffffff\r\n", "+5\r\nhello\r\n0\r\n", "\r\n", "05\r\nhello\r\n0A \r\n0123456789\r\n0\r\n", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
		"5 ;a=b\r\nhello\r\n0\t;c\r\n", "5666fffffff66666\r\n", "ffffffffffffffff\r\nhello", "7fffffffffffffff\r\nhello",
	} {
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, size byte) {
		want, wantErr := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if own.Match(in) {
			want, wantErr = decode(bytes.NewReader(in), 4<<10)
		}
		for name, r := range map[string]io.Reader{
			"at once":     bytes.NewReader(in),
			"by bytes":    iotest.OneByteReader(bytes.NewReader(in)),
			"interrupted": &stutter{in: in},
		} {
			got, err := decode(r, int(size)+1)
			// A look at the buffered bytes gives the same result as reading them.
			rest, ended, checked := new(Reader).Ahead(in)
			if (ended != (err == nil) || ended && !bytes.HasSuffix(in, rest)) || checked != nil && (err == nil || err.Error() != checked.Error()) ||
				checked == nil && err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "takes more than") {
				t.Errorf("%s: Ahead returns %q, %v, %v after %v", name, rest, ended, checked, err)
			}
			if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) || errors.Is(err, io.ErrUnexpectedEOF) != errors.Is(wantErr, io.ErrUnexpectedEOF) {
				t.Errorf("%s: got %q, %v, want %q, %v", name, got, err, want, wantErr)
			}
		}
	})
}

// decode reads to the end, size bytes at a time.
func decode(r io.Reader, size int) ([]byte, error) {
	var got bytes.Buffer
	c := New(bufio.NewReader(r))
	p := make([]byte, size)
	for {
		n, err := c.Read(p)
		got.Write(p[:n])
		switch err {
		case nil, errNotYet:
		case io.EOF:
			return got.Bytes(), nil
		default:
			return got.Bytes(), err
		}
	}
}

// TestSizes checks which lines may begin a chunk: blanks before an extension are
// allowed (valyala/fasthttp#2193, python-hyper/h11#143).
func TestSizes(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"5\r\nhello\r\n0\r\n":                   true,
		"5 ;a=b\r\nhello\r\n0\r\n":              true,
		"5\t ; a = \"b\" \r\nhello\r\n0 ;x\r\n": true,
		"0000000000000005\r\nhello\r\n0\r\n":    true,
		"5 5\r\nhello\r\n0\r\n":                 false,
		" 5\r\nhello\r\n0\r\n":                  false,
		";a\r\nhello\r\n0\r\n":                  false,
		"0x5\r\nhello\r\n0\r\n":                 false,
		"5;a\rb\r\nhello\r\n0\r\n":              false,
		"5;a\nhello\r\n0\r\n":                   false,
		"5\r\nhello\n0\r\n":                     false,
	} {
		got, err := decode(strings.NewReader(in), 512)
		if (err == nil) != ok || ok && string(got) != "hello" {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for size, truncated := range map[string]bool{
		"7fffffffffffffff": true, "8000000000000000": false, "ffffffffffffffff": false, "10000000000000005": false, "00000000000000005": false,
	} {
		_, err := decode(strings.NewReader(size+"\r\nhello"), 512)
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) != truncated {
			t.Errorf("a chunk of %s bytes: got %v", size, err)
		}
	}
}

// stutter gives every other time nothing yet, and else one byte.
type stutter struct {
	in  []byte
	odd bool
}

func (s *stutter) Read(p []byte) (int, error) {
	s.odd = !s.odd
	if s.odd {
		return 0, errNotYet
	}
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	p[0] = s.in[0]
	s.in = s.in[1:]
	return 1, nil
}
