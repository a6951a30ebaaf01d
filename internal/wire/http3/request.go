//go:build !minimal

package http3

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// version is the Proto of requests.
const version = "HTTP/3.0"

// adapt converts a request into the form of net/http's server.
func (s *Server) adapt(w *writer, r *http.Request) {
	delete(r.Header, "Host") // the same as r.Host
	if r.Method == http.MethodConnect && r.Proto != version {
		// An extended CONNECT (RFC 9220). The client waits for the answer before it sends.
		r.Header[message.ProtocolField], r.Proto = []string{r.Proto}, version
		return
	}
	switch {
	case r.ContentLength == 0:
		r.Body = http.NoBody
	case r.ContentLength < 0 && bodiless(r.Method):
		s.look(w, r)
	case wantsContinue(r.Header["Expect"]):
		delete(r.Header, "Expect")
		w.WriteHeader(http.StatusContinue)
	}
}

// wantsContinue reports whether a request expects 100 (Continue) and nothing else. The
// handler refuses other expectations.
func wantsContinue(expect []string) bool {
	return len(expect) == 1 && strings.EqualFold(expect[0], "100-continue")
}

// bodiless reports whether requests with this method usually have no body.
func bodiless(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodTrace, http.MethodConnect:
		return true
	}
	return false
}

// look determines whether a request without a length has a body. In HTTP/3 only the end
// of the stream shows that, which may arrive in a later packet.
func (s *Server) look(w *writer, r *http.Request) {
	var first [1]byte
	w.control.SetReadDeadline(time.Now().Add(s.opts.Header))
	n, err := io.ReadFull(r.Body, first[:])
	w.control.SetReadDeadline(time.Time{})
	if err == io.EOF {
		r.Body, r.ContentLength = http.NoBody, 0
		return
	}
	rest := io.Reader(r.Body)
	if err != nil {
		rest = failed{err}
	}
	r.Body = body{io.MultiReader(bytes.NewReader(first[:n]), rest), r.Body}
}

// failed is a body whose reading failed.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// body is a request's body whose beginning was read.
type body struct {
	io.Reader
	io.Closer
}

// writer wraps quic-go's response writer, which waits without limit for a client that
// does not accept a header, and sends header fields that are only for HTTP/1.1
// connections.
type writer struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	begun    bool // the final header was written
}

// Unwrap lets [http.ResponseController] reach quic-go's writer.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	delete(w.Header(), "Connection") // RFC 9114, section 4.2
	if status < 200 {                // final ones are sent with the body, or by a flush
		defer w.bound()()
	} else {
		w.begun = true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends the header and the buffered part of the body.
func (w *writer) FlushError() error {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	defer w.bound()()
	return w.control.Flush()
}

// bound limits a write's wait for the client.
func (w *writer) bound() (lift func()) {
	if w.patience <= 0 {
		return func() {}
	}
	w.control.SetWriteDeadline(time.Now().Add(w.patience))
	return func() { w.control.SetWriteDeadline(time.Time{}) }
}
