package proxy

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/reason"
)

// This file is all that goodgate knows of httputil.ReverseProxy, which takes off the
// hop-by-hop fields, passes informational responses, trailers and upgrades on, and
// copies and flushes bodies. What it does otherwise than goodgate needs is worked
// around here:
//
//	what it does                              what is done about it
//	asks every context for Done, which makes  it gets one that never ends (noDone); the
//	  inbound watch the client                  delivery looks at the real one
//	drops queries that it cannot parse        rewrite puts the client's back
//	copies the response's fields one by one   modifyResponse moves them before that
//	copies the trailer before it has come     RoundTrip keeps its names; bodyView fills it in
//	adds the response's trailer to fields of  (*responseWriter).WriteHeader takes these out
//	  the same names in its header              once they have been sent
//	flushes only streams of events, and       modifyResponse makes it flush gRPC, too; leasedBody
//	  what has no length                        flushes the others before it waits
//	passes 1xx on with what the final answer  (*exchange).inform does it instead
//	  is to have
//	refuses a request by its error handler    handleError tells that by "no attempt yet"
//	takes Upgrade for one protocol, where it  offerUpgrades joins the fields; agree leaves of
//	  is a list, maybe in several fields        what was asked for what the upstream chose
//	spells fields its own way                 respell undoes that in requests to upgrade
//	does not end the connection after a 101   modifyResponse checks that it was asked for
//	  that nobody asked for
//	panics when a body breaks off             (*exchange).end runs in a defer; the reason is
//	                                            noted by leasedBody
//	panics only below an http.Server          the servers put one into their contexts
//	logs failures                             its log is discarded; the record has them
type httputilRelay struct {
	httputil.ReverseProxy
	x *exchange
}

// relayByHTTPUtil delivers the request and answers the client by
// httputil.ReverseProxy.
func relayByHTTPUtil(x *exchange) {
	relay := &httputilRelay{x: x}
	relay.ReverseProxy = httputil.ReverseProxy{
		Rewrite:        relay.rewrite,
		Transport:      relay,
		ModifyResponse: relay.modifyResponse,
		ErrorHandler:   relay.handleError,
		BufferPool:     &x.proxy.buffers,
		ErrorLog:       x.proxy.discard,
	}
	relay.ServeHTTP(&x.writer, x.request.HTTP().WithContext(noDone{x.ctx}))
	x.writer.finish()
	x.refreshKept()
}

// noDone hides from httputil that a context ends.
type noDone struct{ context.Context }

func (noDone) Done() <-chan struct{} { return nil }

// discardLog is for what is in the request's record already.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// rewrite makes the request that goes upstream. httputil has already taken off
// the hop-by-hop fields and everything a client could claim about forwarding.
func (relay *httputilRelay) rewrite(pr *httputil.ProxyRequest) {
	x, out := relay.x, pr.Out
	out.URL.RawQuery = pr.In.URL.RawQuery
	x.route.rewritePath(out.URL)
	if h := x.route.Host; h != "" && h != HostUpstream {
		out.Host = h
	}
	x.route.edited.drop(out.Header)
	x.setForwarded(x.request, out.Header)
	offerUpgrades(out.Header, pr.In.Header["Upgrade"])
	if !pr.In.ProtoAtLeast(1, 1) {
		ignoreNewer(out.Header)
	}
	x.tellIdentity(out.Header)
	x.editRequest(out.Header)
	if x.request.Head != nil && len(out.Header["Upgrade"]) > 0 {
		respell(out.Header, x.request.Head)
	}
}

// RoundTrip implements http.RoundTripper for httputil.
func (relay *httputilRelay) RoundTrip(out *http.Request) (*http.Response, error) {
	o := outgoing{std: out}
	if len(out.Trailer) > 0 {
		o.trailers = relay.x.announced(out)
	}
	res, failed := relay.x.deliver(o)
	if failed != nil {
		return nil, failed
	}
	relay.x.keepUpstream(res)
	if relay.x.route.Intercept != nil {
		res = relay.x.intercept(res)
	}
	return res.HTTP(out), nil
}

// handleError is httputil's way of telling that there is no response.
func (relay *httputilRelay) handleError(_ http.ResponseWriter, _ *http.Request, err error) {
	x := relay.x
	e, ok := err.(*Error)
	if !ok { // httputil refused the request or could not carry out an upgrade
		e = &Error{Reason: reason.Internal, Err: err}
		if x.writer.status == 0 && len(x.record.Attempts) == 0 {
			e.Reason = reason.RequestMalformed
		}
	}
	x.fail(e)
}

// modifyResponse puts the route's and the pool's marks on an answer.
func (relay *httputilRelay) modifyResponse(res *http.Response) error {
	x := relay.x
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := x.checkUpgrade(res); err != nil {
			return err
		}
		x.record.Status = res.StatusCode
		relay.agree(res)
	}
	x.rewriteHeader(res.Header)
	x.ownCORS(res.Header)
	x.editResponse(res.Header, false)
	x.cleanTrailer(res.Trailer) // what has come of it, and what is announced
	x.pin(res.Header)
	if res.StatusCode != http.StatusSwitchingProtocols {
		// A call that failed is a header alone. Flushed before its end, it would
		// be a header with a body behind it, and the status would be lost.
		if res.ContentLength != 0 && streamType(res.Header) {
			relay.FlushInterval = -1
		}
		x.answer.prompt = res.ContentLength < 0 || relay.FlushInterval < 0
		x.compress(res.StatusCode, res.ContentLength, res.Header)
		moveHeader(x.writer.Header(), res)
	}
	return nil
}

// respell gives fields the names that they came with: some servers of
// WebSocket know Sec-WebSocket-Key and the like in this spelling alone.
func respell(fields http.Header, as *header.Head) {
	for i := range as.Fields {
		f := &as.Fields[i]
		key := textproto.CanonicalMIMEHeaderKey(f.Name)
		if values, ok := fields[key]; ok && f.ID == header.Other && key != f.Name {
			delete(fields, key)
			fields[f.Name] = values
		}
	}
}

// agree makes a 101 one that httputil passes on: to what was asked for, as it sees
// that.
func (relay *httputilRelay) agree(res *http.Response) {
	asked := res.Request
	trimSwitch(res)
	asked.Header = maps.Clone(asked.Header) // the upstream's connection may have the other
	asked.Header["Upgrade"] = res.Header["Upgrade"]
}

// moveHeader gives the client's response the fields of an upstream's.
func moveHeader(to http.Header, res *http.Response) {
	for name, values := range res.Header {
		if have, ok := to[name]; ok {
			values = slices.Concat(have, values)
		}
		to[name] = slices.Clip(values) // whoever adds to it must not write behind it
	}
	res.Header = nil
}
