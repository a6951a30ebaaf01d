package health

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/h2frame"
)

// The first and the last bytes of an HTTP/2 client (RFC 9113, sections 3.4, 6.5 and 6.8).
const (
	clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	noSettings    = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	goAway        = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
)

// flagsOfTheWhole are END_STREAM and END_HEADERS.
const flagsOfTheWhole = 0x1 | 0x4

// http2Question returns the first bytes of a connection, with OPTIONS * on stream 1.
func http2Question(u *balancer.Upstream) []byte {
	scheme := "http"
	if u.TLS() {
		scheme = "https"
	}
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "OPTIONS"}, {Name: ":scheme", Value: scheme}, {Name: ":authority", Value: u.Authority()},
		{Name: ":path", Value: "*"}, {Name: "user-agent", Value: userAgent}, {Name: "max-forwards", Value: "0"},
	} {
		e.WriteField(f) // never fails: it writes to memory
	}
	b := []byte(clientPreface + noSettings)
	b = append(b, byte(block.Len()>>16), byte(block.Len()>>8), byte(block.Len()), h2frame.Headers, flagsOfTheWhole)
	b = binary.BigEndian.AppendUint32(b, 1)
	return append(b, block.Bytes()...)
}

// frames detects the answer to a question in the bytes received. Without on, every byte
// is an answer. With on, every frame is one, except those that an HTTP/2 library sends by
// itself.
type frames struct {
	on   bool
	scan h2frame.Scanner
}

// answer reports whether the next bytes contain an answer.
func (f *frames) answer(p []byte) bool {
	if !f.on {
		return len(p) > 0
	}
	for {
		frame, ok := f.scan.Next(&p)
		if !ok {
			return false
		}
		switch frame.Kind {
		case h2frame.Settings, h2frame.WindowUpdate, h2frame.Ping:
		default:
			return true
		}
	}
}
