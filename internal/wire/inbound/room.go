package inbound

import "net/http"

const (
	// roomFields is the number of fields that a request may have without an allocation.
	// With one more, a room would need the allocator's next size, 256 bytes larger.
	roomFields = 23

	// maxKept is the number of fields up to which the map of a response is reused.
	maxKept = 64
)

func newRoom() *response {
	w := new(response)
	w.head.Fields = w.fields[:0]
	return w
}

// newResponse prepares for a request.
func (c *conn) newResponse() *response {
	w := c.s.rooms.Get().(*response)
	w.c = c
	w.ctx.base, w.ctx.local, w.ctx.watch = c.s.base, c.nc.LocalAddr(), &c.watch
	c.watch.reset(w)
	r := &w.request
	r.RemoteAddr, r.TLS, r.URL, r.Head = c.remote, c.tls, &w.url, &w.head
	r.SetContext(&w.ctx)
	return w
}

// retire ends the context of a served request, and frees its room for the next one
// unless somebody may still use it: a caller of Done, of [message.Request.HTTP], or a
// goroutine that reads the body may do so for as long as it likes.
func (w *response) retire() {
	if asked := w.ctx.end(); asked || w.body != nil || w.request.Lent() {
		return
	}
	s, fields := w.c.s, w.header
	*w = response{}
	w.head.Fields = w.fields[:0]
	if len(fields) <= maxKept {
		clear(fields)
		w.header = fields
	}
	s.rooms.Put(w)
}

// Header returns the fields of the response, apart from those of a head.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}
