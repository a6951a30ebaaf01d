package proxy

import (
	"io"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// lingerFor bounds, beside socket.LingerBytes, what is taken from a client after its
// answer.
const lingerFor = 2 * time.Second

// linger takes what a client goes on sending after an answer that came early,
// such as a 413. Closing instead would reset the connection, and a client that
// sends to the end before it reads would not see the answer (RFC 9112, section
// 9.6). HTTP/2 has RST_STREAM for it.
func (x *exchange) linger() {
	switch {
	case x.parked, x.request.ContentLength == 0, x.writer.http2(), x.aborted, x.answer.tunnel != nil:
		return
	case x.writer.err != nil, !x.flushable():
		return
	case x.body != nil && !x.body.unread():
		return
	case x.request.Has(header.Expect) && (x.body == nil || x.body.total.Load() == 0):
		return // it was not asked to send
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
	if n < socket.LingerBytes && time.Now().Before(until) { // that was all
		x.writer.control.SetReadDeadline(time.Time{})
	}
}

// flushable reports whether a flush takes the whole answer to the client. The end
// of a chunked one is sent once the handler has returned.
func (x *exchange) flushable() bool {
	switch {
	case x.writer.status == 0:
		return false
	case x.request.Method == http.MethodHead, x.writer.status == http.StatusNoContent, x.writer.status == http.StatusNotModified:
		return true
	}
	return x.writer.sized
}

// end bounds all reads from the client, those that are under way too.
func (b *replayBody) end(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = until
	b.x.writer.control.SetReadDeadline(until)
}
