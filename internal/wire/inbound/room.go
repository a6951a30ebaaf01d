package inbound

import "net/http"

const (
	// roomFields is how many fields a request may have without an allocation. With one
	// more a room would be of the allocator's next size, 256 bytes larger.
	roomFields = 23

	// maxKept is how many fields the map of a response may have had that the next one
	// uses.
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

// retire ends the context of a request that has been served, and leaves its room to
// another one if nobody can still use it: whoever has asked for the end of the
// context, has the request of the library, or reads the body from elsewhere, may do
// so for as long as they like.
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

// Header returns the fields of the response that are not in a head.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}
