package http1

import (
	"bufio"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/header"
)

// statusLine is what every response of HTTP/1 begins with.
const statusLine = "HTTP/1."

// parseHead reads the lines of a response's header.
func parseHead(block string) (*http.Response, error) {
	if res := parsePlain(block); res != nil {
		return res, nil
	}
	return parseOdd(block)
}

// asHead makes http.ReadResponse leave the body alone, and with it the fields
// that frame it, of which all have to be seen.
var asHead = &http.Request{Method: http.MethodHead}

// parseOdd leaves a header to http.ReadResponse. One of HTTP/1.0 it reads as one of
// HTTP/1.1: the standard library ignores Transfer-Encoding there, so that the body
// would have the lines of its chunks in it.
func parseOdd(block string) (*http.Response, error) {
	rest, old := strings.CutPrefix(block, statusLine+"0 ")
	if old {
		block = statusLine + "1 " + rest
	}
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(block)), asHead)
	if err != nil {
		return nil, err
	}
	if res.Close && len(res.Header["Connection"]) == 0 {
		restoreConnection(res.Header, block)
	}
	if old {
		res.Proto, res.ProtoMinor = "HTTP/1.0", 0
		res.Close = res.Close || !httpguts.HeaderValuesContainsToken(res.Header["Connection"], "keep-alive")
	}
	if res.ProtoMajor != 1 {
		return nil, fmt.Errorf("version %s", res.Proto)
	}
	if res.StatusCode < 100 {
		return nil, fmt.Errorf("status code %d", res.StatusCode)
	}
	for name := range res.Header {
		if strings.ContainsRune(name, ' ') { // the one thing that net/textproto lets pass
			return nil, fmt.Errorf("header field name %q", name)
		}
	}
	return res, nil
}

// restoreConnection puts back what http.ReadResponse has removed.
func restoreConnection(h http.Header, block string) {
	_, fields := header.CutLine(block)
	all, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(fields))).ReadMIMEHeader()
	if v := all["Connection"]; len(v) > 0 {
		h["Connection"] = v
	}
}

// parsePlain does what parseOdd would, for less. It returns nil when there is
// anything about the header that readers have to be lenient about.
func parsePlain(block string) *http.Response {
	line, fields := header.CutLine(block)
	res := &http.Response{Request: asHead, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	var ok bool
	if res.Status, ok = strings.CutPrefix(line, statusLine+"1 "); !ok {
		return nil
	}
	if res.StatusCode, ok = statusCode(res.Status); !ok {
		return nil
	}
	var err error
	if res.Header, err = header.Parse(fields); err != nil || !plainFraming(res) {
		return nil
	}
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
// net/http does, unless that is odd. It leaves a Connection field that says close,
// which may name fields that are not to be passed on.
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
	res.Close = httpguts.HeaderValuesContainsToken(h["Connection"], "close")
	return true
}
