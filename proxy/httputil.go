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

// This file contains everything that goodgate knows about httputil.ReverseProxy, which
// removes hop-by-hop fields, passes on informational responses, trailers and upgrades,
// and copies and flushes bodies. Where it does not fit goodgate, this package works
// around it:
//
//	httputil                                  workaround
//	calls Done of every context, which makes  the request has a context without an end
//	  inbound watch the client                  (noDone); the delivery uses the real one
//	drops queries that it cannot parse        rewrite restores the client's query
//	copies the response's fields one by one   modifyResponse moves them first
//	copies the trailer before it has arrived  RoundTrip keeps its names; bodyView fills it in
//	adds the response's trailer to the        (*responseWriter).WriteHeader removes those
//	  header fields of the same names           fields after it has sent them
//	flushes only event streams and bodies     modifyResponse makes it flush gRPC too;
//	  without a length                          leasedBody flushes the others before it waits
//	passes 1xx on with the fields of the      (*exchange).inform passes them on
//	  final answer
//	rejects a request by its error handler    handleError recognises this: no attempt yet
//	takes Upgrade for one protocol, though it  offerUpgrades joins the fields; agree tells
//	  is a list, maybe in several fields        httputil that the chosen protocols were asked for
//	spells fields its own way                 respell restores the names in upgrade requests
//	switches only connections, not streams    upgradeStream is a stream with Hijack
//	keeps the connection after a 101 that     modifyResponse checks that the client asked
//	  nobody asked for
//	panics when a body breaks off             (*exchange).end is deferred; leasedBody records
//	                                            the reason
//	panics only below an http.Server          the servers put one into their contexts
//	logs failures                             its log is discarded; the record has them
type httputilRelay struct {
	httputil.ReverseProxy
	x *exchange
}

// relayByHTTPUtil delivers the request and answers the client with httputil.ReverseProxy.
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

// noDone hides the end of a context from httputil.
type noDone struct{ context.Context }

func (noDone) Done() <-chan struct{} { return nil }

// discardLog returns a log without output. The record already has what httputil logs.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// rewrite makes the request for the upstream. httputil has already removed the hop-by-hop
// fields and the client's forwarding fields.
func (relay *httputilRelay) rewrite(pr *httputil.ProxyRequest) {
	x, out := relay.x, pr.Out
	out.URL.RawQuery = pr.In.URL.RawQuery
	x.rewriteTarget(out.URL)
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
	x.spellStream(out.Header)
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

// handleError answers when httputil has no response.
func (relay *httputilRelay) handleError(_ http.ResponseWriter, _ *http.Request, err error) {
	x := relay.x
	e, ok := err.(*Error)
	if !ok { // httputil rejected the request, or failed to switch protocols
		e = &Error{Reason: reason.Internal, Err: err}
		if x.writer.status == 0 && len(x.record.Attempts) == 0 {
			e.Reason = reason.RequestMalformed
		}
	}
	x.fail(e)
}

// modifyResponse edits an answer by the rules of the route and the pool.
func (relay *httputilRelay) modifyResponse(res *http.Response) error {
	x := relay.x
	if err := x.checkStream(res); err != nil {
		return err
	}
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
	res.StatusCode = x.applyRules(res.StatusCode, res.Header)
	x.cleanTrailer(res.Trailer) // both the part that has arrived and the announced names
	x.pin(res.Header)
	if res.StatusCode != http.StatusSwitchingProtocols {
		// A failed gRPC call is a header alone. If it were flushed before its end, the
		// client would expect a body, and would lose the status.
		if res.ContentLength != 0 && streamType(res.Header) {
			relay.FlushInterval = -1
		}
		x.answer.prompt = res.ContentLength < 0 || relay.FlushInterval < 0
		x.compress(res.StatusCode, res.ContentLength, res.Header)
		moveHeader(x.writer.Header(), res)
	} else if s := x.stream(); s != nil {
		s.announce(x, res.Header)
	}
	return nil
}

// respell restores the client's spelling of field names. Some WebSocket servers accept
// only their own spelling of names such as Sec-WebSocket-Key.
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

// agree makes httputil pass a 101 on: it gives the request the protocols that the
// upstream has chosen.
func (relay *httputilRelay) agree(res *http.Response) {
	asked := res.Request
	trimSwitch(res)
	asked.Header = maps.Clone(asked.Header) // the transport may still use the original
	asked.Header["Upgrade"] = res.Header["Upgrade"]
}

// moveHeader moves the fields of an upstream's response to the client's.
func moveHeader(to http.Header, res *http.Response) {
	for name, values := range res.Header {
		if have, ok := to[name]; ok {
			values = slices.Concat(have, values)
		}
		to[name] = slices.Clip(values) // an append must not write behind it
	}
	res.Header = nil
}
