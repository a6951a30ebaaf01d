package proxy

import (
	"net/http"
	"sync"
	"time"
)

// responseWriter is the client's side of an exchange: it puts on every response
// what every response gets, counts, and bounds how long the client may take no
// part of it.
type responseWriter struct {
	http.ResponseWriter
	x       *exchange
	control http.ResponseController
	status  int   // 0 before the final header
	written int64 // of the body
	err     error // the first failure to write
}

func (w *responseWriter) init(inner http.ResponseWriter, x *exchange) {
	w.ResponseWriter, w.x = inner, x
	w.control = *http.NewResponseController(inner)
}

// Unwrap lets [http.ResponseController] reach the server's own writer.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
		w.x.finishHeader(w.Header(), status)
		w.bound()
		w.boundBody()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	} else if w.written > 0 {
		w.bound()
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// bound gives the client until the write timeout to take the next part.
func (w *responseWriter) bound() {
	if d := w.x.client.WriteIdle; d > 0 {
		w.control.SetWriteDeadline(time.Now().Add(d))
	}
}

// boundBody bounds how long the server waits for the rest of a request's body,
// which it reads before it sends an answer that came early.
func (w *responseWriter) boundBody() {
	d := w.x.client.BodyIdle
	if d > 0 && w.x.request.ContentLength != 0 && (w.x.body == nil || w.x.body.unread()) {
		w.control.SetReadDeadline(time.Now().Add(d))
	}
}

// finishHeader puts on what every response gets.
func (x *exchange) finishHeader(h http.Header, status int) {
	h["X-Request-Id"] = x.single(x.record.ID)
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // else net/http guesses one that the application did not give
	}
	if x.proxy.draining.Load() {
		h["Connection"] = []string{"close"}
	}
	if reason := x.record.Reason; reason != None {
		h.Add("Proxy-Status", x.proxyStatus(reason, status))
	}
}

// bufferPool lends httputil the buffers it copies bodies with.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *bufferPool) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

func (b *bufferPool) Put(p []byte) {
	if len(p) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(p))
	}
}
