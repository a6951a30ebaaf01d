package proxy

import (
	"maps"
	"net/http"
	"net/textproto"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file passes on messages other than ordinary responses: informational responses,
// and the header of a 101.

// interim guards the passing on of informational responses. An HTTP/2 transport delivers
// them on another goroutine.
type interim struct {
	mu   sync.Mutex // held during a write
	over bool       // the final response is known
	pass got1xx     // the method value inform, made once
}

// inform passes an informational response on. httputil would add the fields of the final
// response.
func (x *exchange) inform(code int, fields textproto.MIMEHeader) error {
	x.interim.mu.Lock()
	defer x.interim.mu.Unlock()
	switch {
	case code == http.StatusSwitchingProtocols: // final in HTTP/1.1, absent in other versions
		return &Error{Reason: reason.ResponseMalformed, Sent: true, Err: errUpgrade}
	case x.interim.over, code == http.StatusContinue, !x.request.ProtoAtLeast(1, 1):
		// A client that expects a 100 gets one from the server as soon as its body is
		// read. HTTP/1.0 has no informational responses (RFC 9110, section 15.2).
		return nil
	}
	h := x.writer.Header()
	final := make(http.Header, len(h))
	for name, values := range h {
		final[name] = values
		delete(h, name)
	}
	header.DeleteHopByHop(http.Header(fields))
	delete(fields, "Content-Length")
	delete(fields, drainHeader)
	maps.Copy(h, fields)
	x.editResponse(h, true)
	x.writer.WriteHeader(code)
	clear(h)
	maps.Copy(h, final)
	return nil
}

// concludeInterim stops the passing on of informational responses.
func (x *exchange) concludeInterim() {
	x.interim.mu.Lock()
	x.interim.over = true
	x.interim.mu.Unlock()
}

// trimSwitch keeps only the fields of a 101 (Switching Protocols) that are for the
// client. A 101 has no content and no length (RFC 9110, section 8.6).
func trimSwitch(res *http.Response) {
	protocol := strings.Join(res.Header["Upgrade"], ", ")
	header.DeleteHopByHop(res.Header)
	delete(res.Header, "Content-Length")
	res.Header["Connection"] = []string{"Upgrade"}
	res.Header["Upgrade"] = []string{protocol}
	res.Close, res.Request = false, nil // else Response.Write adds close, and a length in answers to POST
	if !httpguts.ValidHeaderFieldValue(res.Status) {
		res.Status = "" // httputil writes it unchanged
	}
}

// ignoreNewer removes fields that an HTTP/1.0 request cannot use: those that ask to
// switch protocols (RFC 9110, section 7.8) or for a 100 Continue (section 10.1.1).
func ignoreNewer(h message.Editor) {
	h.Del("Expect")
	h.Del("Upgrade")
	h.Del("Connection")
}
