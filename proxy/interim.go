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

// This file passes on what is not a final response of its own: informational
// responses, and the header of one that switches protocols.

// interim guards the passing on of informational responses, which a connection of
// HTTP/2 delivers on a goroutine of its own.
type interim struct {
	mu   sync.Mutex // held while one is written
	over bool       // the final response is known
	pass got1xx     // the exchange's inform, made once
}

// inform passes an informational response of an upstream on. httputil would take
// the fields that the final response is to have along.
func (x *exchange) inform(code int, fields textproto.MIMEHeader) error {
	x.interim.mu.Lock()
	defer x.interim.mu.Unlock()
	switch {
	case code == http.StatusSwitchingProtocols: // HTTP/1.1 treats it as final, other versions do not have it
		return &Error{Reason: reason.ResponseMalformed, Sent: true, Err: errUpgrade}
	case x.interim.over, code == http.StatusContinue, !x.request.ProtoAtLeast(1, 1):
		// A client that expects a 100 has one from the server as soon as its body
		// is read; HTTP/1.0 has no informational responses (RFC 9110, section 15.2).
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

// concludeInterim ends the passing on of informational responses.
func (x *exchange) concludeInterim() {
	x.interim.mu.Lock()
	x.interim.over = true
	x.interim.mu.Unlock()
}

// trimSwitch leaves of a 101 (Switching Protocols) what is for the client. It has
// no content, and so no length (RFC 9110, section 8.6).
func trimSwitch(res *http.Response) {
	protocol := strings.Join(res.Header["Upgrade"], ", ")
	header.DeleteHopByHop(res.Header)
	delete(res.Header, "Content-Length")
	res.Header["Connection"] = []string{"Upgrade"}
	res.Header["Upgrade"] = []string{protocol}
	res.Close, res.Request = false, nil // Response.Write says close, and a length in answers to POST
	if !httpguts.ValidHeaderFieldValue(res.Status) {
		res.Status = "" // httputil writes it as it is
	}
}

// ignoreNewer removes what a request of HTTP/1.0 cannot ask for: to switch
// protocols (RFC 9110, section 7.8) and to be told to go on (section 10.1.1).
func ignoreNewer(h message.Editor) {
	h.Del("Expect")
	h.Del("Upgrade")
	h.Del("Connection")
}
