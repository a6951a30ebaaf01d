package http2

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// This file checks what net/http leaves to its callers: status codes, and lengths, which
// do not frame a body in HTTP/2 but which clients rely on.

// settle makes a response unambiguous, or returns the reason that it cannot.
func settle(res *http.Response) error {
	// net/http appends the text of the code to the upstream's status.
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
	if len(lengths) > 1 { // net/http treats several as none
		res.Header["Content-Length"] = lengths[:1]
		res.ContentLength = int64(n)
		res.Body = &sized{ReadCloser: res.Body, left: int64(n)}
	}
	if noContent(res.StatusCode) {
		res.ContentLength = 0 // the field describes another response (RFC 9110, section 8.6)
	}
	return nil
}

// bodiless reports whether a response ended with its header.
func bodiless(r *http.Request, res *http.Response) bool {
	if r.Method == http.MethodHead || noContent(res.StatusCode) {
		return true
	}
	_, isSized := res.Header["Content-Length"]
	return res.ContentLength == 0 && !isSized // net/http's way to say so
}

// noContent reports whether responses with this status have no body, whatever their
// length says.
func noContent(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// sized is a body that must have a certain length.
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
