package http2

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// This file judges what net/http leaves to its callers: status codes, and lengths,
// by which HTTP/2 does not frame a body but which clients go by.

// settle makes a response one that has a single meaning, or tells why it has
// none.
func settle(res *http.Response) error {
	// net/http has put the text of the code behind what the upstream said
	if status := res.Status; len(status) < 4 || status[3] != ' ' || res.StatusCode < 200 {
		return fmt.Errorf("the status %.20q", status)
	}
	lengths := res.Header["Content-Length"]
	if len(lengths) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(lengths[0], 10, 63)
	if err != nil {
		return fmt.Errorf("Content-Length of %.100q", lengths[0])
	}
	for _, l := range lengths[1:] {
		if l != lengths[0] {
			return fmt.Errorf("Content-Length of %.20q and %.20q", lengths[0], l)
		}
	}
	if len(lengths) > 1 { // net/http took it for none
		res.Header["Content-Length"] = lengths[:1]
		res.ContentLength = int64(n)
		res.Body = &sized{ReadCloser: res.Body, left: int64(n)}
	}
	if noContent(res.StatusCode) {
		res.ContentLength = 0 // it says what another response would have (RFC 9110, section 8.6)
	}
	return nil
}

// bodiless reports whether a response ended with its header.
func bodiless(r *http.Request, res *http.Response) bool {
	if r.Method == http.MethodHead || noContent(res.StatusCode) {
		return true
	}
	_, isSized := res.Header["Content-Length"]
	return res.ContentLength == 0 && !isSized // as net/http says it
}

// noContent reports whether responses with this status have no body whatever
// their length says.
func noContent(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// sized is a body that has to have a length.
type sized struct {
	io.ReadCloser
	left int64
}

var errLonger = errors.New("a body longer than its Content-Length")

func (b *sized) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		return int(b.left), errLonger
	}
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
