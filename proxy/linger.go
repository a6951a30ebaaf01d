package proxy

import (
	"io"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// lingerFor bounds, beside socket.LingerBytes, how long goodgate reads from a client
// after its answer.
const lingerFor = 2 * time.Second

// linger reads and drops the rest of a request after an early answer, for example a 413.
// If the connection closed at once, it would be reset, and a client that sends everything
// before it reads would not see the answer (RFC 9112, section 9.6). HTTP/2 has RST_STREAM
// for this.
func (x *exchange) linger() {
	switch {
	case x.parked, x.request.ContentLength == 0, x.writer.http2(), x.aborted, x.answer.tunnel != nil:
		return
	case x.writer.err != nil, !x.flushable():
		return
	case x.body != nil && !x.body.unread():
		return
	case x.request.Has(header.Expect) && (x.body == nil || x.body.total.Load() == 0):
		return // nobody has asked it to send
	}
	x.record.Duration = time.Since(x.record.Start)
	if x.writer.control.Flush() != nil {
		return
	}
	until := time.Now().Add(lingerFor)
	body := x.request.Body
	if x.body != nil {
		x.body.end(until)
		x.body.reading.Lock()
		defer x.body.reading.Unlock()
		body = x.body.client
	}
	x.writer.control.SetReadDeadline(until)
	n, _ := io.CopyN(io.Discard, body, socket.LingerBytes)
	if n < socket.LingerBytes && time.Now().Before(until) { // the rest has ended
		x.writer.control.SetReadDeadline(time.Time{})
	}
}

// flushable reports whether a flush sends the whole answer. The server sends the end of a
// chunked answer only after the handler has returned.
func (x *exchange) flushable() bool {
	switch {
	case x.writer.status == 0:
		return false
	case x.request.Method == http.MethodHead, x.writer.status == http.StatusNoContent, x.writer.status == http.StatusNotModified:
		return true
	}
	return x.writer.sized
}

// end sets the deadline of all reads from the client, also of those in progress.
func (b *replayBody) end(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = until
	b.x.writer.control.SetReadDeadline(until)
}
