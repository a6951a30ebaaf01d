package http1

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// statusLine is the beginning of every HTTP/1 response.
const statusLine = "HTTP/1."

// readBlock parses the lines of a response's header into res and its Head. Accepted
// headers mean the same to net/http; TestHeadsLikeStandard lists the exceptions. chunked
// reports a Transfer-Encoding, which readBlock removes. The body also depends on the
// request; see frame.
func readBlock(block string, res *message.Response) (chunked bool, err error) {
	h := res.Head
	if err = h.Parse(block); err == header.ErrFolded {
		err = h.Parse(unfold(block))
	}
	if err != nil {
		return false, err
	}
	*res = message.Response{Head: h, ProtoMajor: 1, ContentLength: -1}
	if !readStatus(h.Start, res) {
		return false, fmt.Errorf("status line %.100q", h.Start)
	}
	if err := readLength(res); err != nil {
		return false, err
	}
	res.Close = h.HasToken(header.Connection, "close") || res.ProtoMinor == 0 && !h.HasToken(header.Connection, "keep-alive")
	if !h.Has(header.TransferEncoding) {
		return false, nil
	}
	return true, readEncoding(res)
}

// readStatus parses a status line. It drops a reason phrase with control characters,
// because no program reads the phrase.
func readStatus(line string, res *message.Response) bool {
	version, status, _ := strings.Cut(line, " ")
	if len(version) != len(statusLine)+1 || version[:len(statusLine)] != statusLine {
		return false
	}
	res.ProtoMinor = int(version[len(statusLine)]) - '0'
	code, reason, _ := strings.Cut(strings.TrimLeft(status, " "), " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || n < 100 || res.ProtoMinor < 0 || res.ProtoMinor > 9 {
		return false
	}
	res.StatusCode = int(n)
	if httpguts.ValidHeaderFieldValue(reason) {
		res.Reason = reason
	}
	return true
}

// readLength parses the Content-Length. Several equal ones count as one.
func readLength(res *message.Response) error {
	h := res.Head
	if !h.Has(header.ContentLength) {
		return nil
	}
	length := h.Get(header.ContentLength)
	if h.Count(header.ContentLength) > 1 {
		for v := range h.Values(header.ContentLength) {
			if v != length {
				return fmt.Errorf("Content-Length %.40q and %.40q", length, v)
			}
		}
		h.Set("Content-Length", length)
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return fmt.Errorf("Content-Length %.40q", length)
	}
	res.ContentLength = int64(n)
	return nil
}

// readEncoding removes a Transfer-Encoding, and the Trailer fields that belong to it. In
// HTTP/1.0 it counts too: otherwise the lines of the chunks would be in the body.
func readEncoding(res *message.Response) error {
	h := res.Head
	encoding := h.Get(header.TransferEncoding)
	if n := h.Count(header.TransferEncoding); n > 1 || !header.EqualName(encoding, "chunked") {
		return fmt.Errorf("%d fields Transfer-Encoding, %.40q: only one of \"chunked\" is supported", n, encoding)
	}
	h.Delete(header.TransferEncoding)
	for list := range h.Values(header.Trailer) {
		for part := range strings.SplitSeq(list, ",") {
			name := http.CanonicalHeaderKey(strings.TrimSpace(part))
			switch name {
			case "":
				continue
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return fmt.Errorf("trailer %q", name)
			}
			if res.Trailer == nil {
				res.Trailer = make(http.Header)
			}
			res.Trailer[name] = nil
		}
	}
	h.Delete(header.Trailer)
	return nil
}

// unfold joins fields that are folded over several lines (RFC 9112, section 5.2).
func unfold(block string) string {
	line, rest := header.CutLine(block)
	b := append(make([]byte, 0, len(block)), line...)
	for first := true; ; first = false {
		line, rest = header.CutLine(rest)
		text := strings.TrimLeft(line, " \t")
		switch {
		case line == "":
			return string(append(b, "\r\n\r\n"...))
		case len(text) == len(line):
			b = append(b, "\r\n"...)
		case first:
			return block // the first line continues nothing
		case text == "" && isEncoding(b):
			return block // an empty continuation leaves the framing ambiguous
		default:
			b = append(b, ' ')
		}
		b = append(b, strings.TrimRight(text, " \t")...)
	}
}

// isEncoding reports whether the last of the lines is a Transfer-Encoding.
func isEncoding(lines []byte) bool {
	name, _, _ := bytes.Cut(lines[bytes.LastIndexByte(lines, '\n')+1:], []byte(":"))
	return header.Identify(string(name)) == header.TransferEncoding
}

// http returns the response as one of net/http.
func (x *Call) http(to *http.Request) *http.Response {
	m := &x.res
	version, status, _ := strings.Cut(x.head.Start, " ")
	res := &http.Response{
		Status: strings.TrimLeft(status, " "), StatusCode: m.StatusCode,
		Proto: version, ProtoMajor: m.ProtoMajor, ProtoMinor: m.ProtoMinor,
		Header: x.head.Header(), Trailer: m.Trailer,
		ContentLength: m.ContentLength, Close: m.Close, Body: m.Body, Request: to,
	}
	if x.chunked {
		res.TransferEncoding = []string{"chunked"}
	}
	x.body.trailer = &res.Trailer
	return res
}
