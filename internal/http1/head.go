package http1

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/header"
)

// readPlain takes a response's header from the buffer as http.ReadResponse would
// with [asHead], for less. It returns nil and takes nothing when not all of it
// is there, and when there is anything about it that readers have to be lenient
// about: that is for http.ReadResponse to judge.
func readPlain(br *bufio.Reader) *http.Response {
	buffered, _ := br.Peek(br.Buffered())
	n := header.End(buffered, 0)
	if n < 0 {
		return nil
	}
	line, fields := header.CutLine(string(buffered[:n]))
	res := &http.Response{Request: asHead, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	var ok bool
	if res.Status, ok = strings.CutPrefix(line, "HTTP/1.1 "); !ok {
		return nil
	}
	if res.StatusCode, ok = statusCode(res.Status); !ok {
		return nil
	}
	var err error
	if res.Header, err = header.Parse(fields); err != nil || !plainFraming(res) {
		return nil
	}
	br.Discard(n)
	return res
}

// statusCode returns the code at the beginning of a status.
func statusCode(status string) (int, bool) {
	if len(status) < 3 || len(status) > 3 && status[3] != ' ' {
		return 0, false
	}
	n, err := strconv.Atoi(status[:3])
	return n, err == nil && n >= 100
}

// plainFraming takes what says how a response is framed out of its header as
// net/http does, unless that is odd.
func plainFraming(res *http.Response) bool {
	h := res.Header
	length, encoding := h["Content-Length"], h["Transfer-Encoding"]
	res.ContentLength = -1
	switch {
	case len(h["Trailer"]) > 0, len(length)+len(encoding) > 1:
		return false
	case len(h["Pragma"]) > 0 && len(h["Cache-Control"]) == 0: // the one means the other to net/http
		return false
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 63)
		if err != nil {
			return false
		}
		res.ContentLength = int64(n)
	case len(encoding) == 1:
		if encoding[0] != "chunked" {
			return false
		}
		res.TransferEncoding = encoding
		delete(h, "Transfer-Encoding")
	}
	if httpguts.HeaderValuesContainsToken(h["Connection"], "close") {
		res.Close = true
		delete(h, "Connection")
	}
	return true
}
