package inbound

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/internal/wire/pipe"
)

// held is the size, in bytes, up to which a body of unknown length is held back. If the
// whole body fits, the response can have a Content-Length.
const held = 2 << 10

// response is a request in flight and its [ResponseWriter]. Only one goroutine may write.
type response struct {
	c       *conn
	request message.Request
	url     url.URL
	head    header.Head
	fields  [roomFields]header.Field // room for those of head
	ctx     requestContext
	body    *body // nil = none

	header   http.Header // nil before somebody asks for it
	status   int
	length   int64  // of the body, as the handler says; -1 = it has not
	written  int64  // of the body
	rest     []byte // of the body, held back
	trailers []string
	bodiless bool // the response has none, whatever is written
	chunked  bool
	sized    bool // Content-Length is in its place already
	dated    bool // Date is
	close    bool // the connection ends with this response
	keep10   bool // a client of HTTP/1.0 wants to keep the connection
	hijacked bool
	then     func(error) // goes on once the body comes; nil = the handler serves the request

	sealed bool // the header is complete

	mu      sync.Mutex // protects started
	started bool       // the response has begun: it is too late to ask for the body
}

// WriteHeader begins the response. It sends an informational one at once.
func (w *response) WriteHeader(status int) { w.WriteHead(status, "", &header.Head{}) }

// WriteHead implements [ResponseWriter].
func (w *response) WriteHead(status int, reason string, h *header.Head) {
	switch {
	case w.hijacked, w.status != 0:
		return
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		w.inform(status)
		return
	}
	w.status = status
	w.mu.Lock()
	w.started = true
	w.mu.Unlock()
	w.begin(reason, h)
}

// inform sends an informational response.
func (w *response) inform(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.request.ProtoMinor == 0 {
		return
	}
	w.c.get()
	out := appendStatus(w.c.out, 1, status, "")
	out = appendFields(out, w.header, leaveOutEarly)
	w.c.out = append(out, "\r\n"...)
	w.c.flush(nil)
}

// leaveOutEarly reports whether an informational response must not have a field.
func leaveOutEarly(name string) bool {
	return name == "Content-Length" || name == "Transfer-Encoding" || isTrailer(name)
}

// askForBody sends 100 to a client that waits for it. The reader of the body calls it.
func (w *response) askForBody() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started {
		w.c.flush([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
}

// askForLife sends an interim response to a client that may have left, unless the
// answer has begun. The watch calls it.
func (w *response) askForLife() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started && w.request.ProtoMinor > 0 {
		w.c.flush([]byte("HTTP/1.1 102 Processing\r\n\r\n"))
	}
}

// begin writes the beginning of the header, and its end too if the framing of the body
// is known.
func (w *response) begin(reason string, h *header.Head) {
	w.length = w.announced(h)
	w.bodiless = w.request.Method == http.MethodHead || !mayHaveBody(w.status)
	if h.HasToken(header.Connection, "close") || closes(w.header["Connection"]) || w.c.s.closing.Load() || w.c.spent() {
		w.close = true
	}
	w.announceTrailers(h)
	w.c.get()
	w.c.out = appendStatus(w.c.out, w.request.ProtoMinor, w.status, reason)
	w.c.out = w.appendHead(w.c.out, h)
	w.c.out = appendFields(w.c.out, w.header, w.leaveOut)
	if w.length >= 0 || !mayHaveBody(w.status) || len(w.trailers) > 0 || h.Has(header.TransferEncoding) {
		w.seal()
	}
}

// announced returns the length of the body that the fields announce; -1 = none.
func (w *response) announced(h *header.Head) int64 {
	length := h.Get(header.ContentLength)
	if v := w.header["Content-Length"]; length == "" && len(v) > 0 {
		length = v[0]
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// hasLength reports whether the response may have a Content-Length (RFC 9110, section
// 8.6).
func (w *response) hasLength() bool {
	return w.length >= 0 && len(w.trailers) == 0 && mayHaveBody(w.status)
}

// leaveOut reports whether the server writes a field itself, or this response must not
// have it.
func (w *response) leaveOut(name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding":
		return true
	case "Connection":
		return w.status != http.StatusSwitchingProtocols
	case "Content-Type":
		return w.status == http.StatusNotModified
	}
	return isTrailer(name)
}

func mayHaveBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// seal ends the header with the framing of the body (RFC 9112, section 6.3).
func (w *response) seal() {
	w.sealed = true
	out := w.c.out
	switch {
	case w.hasLength() && !w.sized:
		out = appendLength(out, "Content-Length", w.length)
	case w.bodiless, w.sized:
	case w.request.ProtoMinor > 0:
		w.chunked, w.length = true, -1
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	default:
		w.close = true // only the end of the connection can tell the body's
	}
	w.close = w.close || w.request.Close
	switch {
	case w.status == http.StatusSwitchingProtocols:
	case w.close && w.request.ProtoMinor > 0:
		out = append(out, "Connection: close\r\n"...)
	case w.keep10 && !w.close:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	if _, ok := w.header["Date"]; !ok && !w.dated {
		out = header.AppendField(out, "Date", w.c.s.date.now())
	}
	w.c.out = append(out, "\r\n"...)
}

// Write writes a part of the body.
func (w *response) Write(p []byte) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case !mayHaveBody(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		w.close = true
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if w.bodiless {
		if !w.sealed && w.written > held {
			w.seal()
		}
		return len(p), nil
	}
	if !w.sealed {
		if len(w.rest)+len(p) <= held {
			w.rest = append(w.rest, p...)
			return len(p), nil
		}
		w.seal()
		if err := w.writeRest(); err != nil {
			return 0, err
		}
	}
	if err := w.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeRest writes the part that was held back.
func (w *response) writeRest() error {
	rest := w.rest
	w.rest = nil
	if len(rest) == 0 {
		return nil
	}
	return w.write(rest)
}

// write writes a part of the body in its framing.
func (w *response) write(p []byte) error {
	if !w.chunked {
		return w.c.write(p)
	}
	w.c.out = strconv.AppendInt(w.c.out, int64(len(p)), 16)
	w.c.out = append(w.c.out, "\r\n"...)
	if err := w.c.write(p); err != nil {
		return err
	}
	w.c.out = append(w.c.out, "\r\n"...)
	return nil
}

// Piped reports whether [response.Drain] may write parts of the body.
func (w *response) Piped() bool {
	return w.sealed && !w.chunked && !w.bodiless && w.length >= 0 && w.c.sock != nil
}

// Drain writes the content of a pipe. The response must be Piped.
func (w *response) Drain(p *pipe.Pipe) error {
	had := int64(p.Len())
	if w.written+had > w.length {
		w.close = true
		return http.ErrContentLength
	}
	err := w.c.drain(p)
	w.written += had - int64(p.Len())
	return err
}

// FlushError sends everything that has been written so far.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sealed {
		w.seal()
		if err := w.writeRest(); err != nil {
			return err
		}
	}
	return w.c.flush(nil)
}

// Flush is FlushError for http.Flusher.
func (w *response) Flush() { w.FlushError() }

// SetReadDeadline sets the deadline for reading the request's body.
func (w *response) SetReadDeadline(t time.Time) error {
	w.c.rd.Bound(t)
	return nil
}

// SetWriteDeadline sets the deadline for writing the response.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.c.wr.Bound(t)
	return nil
}

// EnableFullDuplex does nothing: a handler may always read the body while it writes the
// response.
func (w *response) EnableFullDuplex() error { return nil }

// Hijack gives the connection to the handler. Bytes that the client has sent already
// come from the connection as well as from the reader.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	w.hijacked = true
	nc := w.c.release()
	if w.body == nil { // else it may be read at this moment
		w.c.put()
	}
	return nc, bufio.NewReadWriter(bufio.NewReader(nc), bufio.NewWriter(nc)), nil
}

// finish ends the response, and reports whether the connection can serve another
// request.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sealed {
		w.trailers = w.prefixedTrailers()
		if len(w.trailers) == 0 && (!w.bodiless || w.written > 0) { // a handler may have left out the body of an answer to HEAD
			w.length = w.written
		}
		w.seal()
		w.writeRest()
	}
	if w.chunked && !w.bodiless {
		w.writeEnd()
	}
	whole := w.bodiless || w.length < 0 || w.written == w.length
	return w.c.flush(nil) == nil && whole && !w.close
}
