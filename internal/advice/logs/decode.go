package logs

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// decode sets f.Reader to the decompressed text, by the first bytes of the file.
func (f *File) decode(b *bounded, size int64) error {
	in := bufio.NewReaderSize(b, 64<<10)
	head, _ := in.Peek(6) // the next read returns the same error
	var r io.Reader = in
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		r = z
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return err
		}
		f.closers = append(f.closers, z.IOReadCloser())
		r = z
	case bytes.HasPrefix(head, []byte("BZh")):
		r = bzip2.NewReader(in)
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return errors.New("compressed by xz: xz -dc FILE | goodgate doctor --log -")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.New("a zip archive: unpack it first")
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		r = &utf16Reader{in: in}
	default:
		if last, ok := b.Reader.(*io.SectionReader); ok && size > b.limits.Bytes {
			last.Seek(size-b.limits.Bytes, io.SeekStart)
			in.Reset(b)
			in.ReadSlice('\n') // skips the rest of a line
			f.note("only the last %d bytes of %d", b.limits.Bytes, size)
		}
	}
	out := bufio.NewReaderSize(r, 64<<10)
	if bom, _ := out.Peek(3); string(bom) == "\xef\xbb\xbf" {
		out.Discard(3)
	}
	f.Reader = &first{r: out, f: f, left: b.limits.Bytes, size: b.limits.Bytes}
	return nil
}

// utf16Reader converts the output of PowerShell's ">" to UTF-8.
type utf16Reader struct {
	in   *bufio.Reader
	rest []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		var units []uint16
		for len(units) < 4096 {
			var pair [2]byte
			if _, err := io.ReadFull(u.in, pair[:]); err != nil {
				if len(units) > 0 {
					break
				}
				return 0, io.EOF
			}
			units = append(units, uint16(pair[0])|uint16(pair[1])<<8)
			if pair == [2]byte{'\n', 0} {
				break
			}
		}
		u.rest = []byte(string(utf16.Decode(units)))
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}
