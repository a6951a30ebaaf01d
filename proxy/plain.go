package proxy

import (
	"io"
	"net/http"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file is the plain relay: HTTP/1 with the client and the upstream, without a switch
// of protocols. It edits the heads of the request and the answer in place. So the order
// and the case of fields, the reason phrase and the bytes of the target stay the same
// unless a rule changes them. Its rules are those of httputil.go.

// headWriter is a client's connection that sends a head unchanged.
type headWriter interface {
	http.ResponseWriter
	// WriteHead begins the final response. It sends the fields of h, and then those of
	// Header.
	WriteHead(status int, reason string, h *header.Head)
}

// isPlain reports whether the plain relay can carry the request.
func (x *exchange) isPlain() bool {
	r := x.request
	if r.Head == nil || r.Has(header.Upgrade) && r.ProtoAtLeast(1, 1) || len(r.Trailer) > 0 {
		return false
	}
	_, ok := x.writer.ResponseWriter.(headWriter)
	return ok && x.pool.opts.Protocol == HTTP1
}

// relayPlain delivers the request and answers the client.
func relayPlain(x *exchange) {
	res, failed := x.deliver(outgoing{plain: x.plainRequest()})
	if failed != nil {
		x.fail(failed)
		return
	}
	x.keepUpstream(res)
	if x.route.Intercept != nil {
		res = x.intercept(res)
	}
	defer res.Body.Close()
	h := res.Head
	if h == nil {
		h = header.Of(res.Fields())
	}
	h.DeleteHopByHop()
	x.rewriteHead(h)
	x.ownCORS(h)
	x.editResponse(h, false)
	if status := x.applyRules(res.StatusCode, h); status != res.StatusCode {
		res.StatusCode, res.Reason = status, ""
	}
	x.cleanTrailer(res.Trailers())
	x.pin(h)
	for name := range res.Trailers() {
		h.Add("Trailer", name)
	}
	x.compress(res.StatusCode, res.ContentLength, h)
	if res.ContentLength < 0 || x.writer.coder != nil {
		h.Add("Transfer-Encoding", "chunked") // keep the upstream's coding, even if the length is known by now
	}
	x.writer.begin(res.StatusCode, h, h.Has(header.ContentLength))
	x.writer.ResponseWriter.(headWriter).WriteHead(res.StatusCode, res.Reason, h)
	if h.Has(header.Trailer) {
		clearAnnounced(x.writer.Header(), h.Values(header.Trailer))
	}
	err := x.copyBody(res)
	if err == nil {
		err = x.writer.finish()
	}
	if err != nil {
		panic(http.ErrAbortHandler) // so that the client notices that the body is incomplete
	}
	if len(res.Trailers()) > 0 {
		x.writeTrailer(res)
	}
	x.answered = true
	x.refreshKept()
}

// plainRequest makes the request for the upstream. The client's request stays unchanged
// for the log.
func (x *exchange) plainRequest() *http1.Request {
	r := x.request
	x.room = x.proxy.newRoom()
	h := &x.room.head
	h.Fields = append(x.room.fields[:0], r.Head.Fields...)
	h.Index()
	trailers := h.HasToken(header.TE, "trailers")
	h.DeleteHopByHop()
	if trailers {
		h.Add("TE", "trailers")
	}
	if !r.ProtoAtLeast(1, 1) {
		ignoreNewer(h)
	}
	x.route.edited.drop(h)
	x.setForwarded(r, h)
	x.tellIdentity(h)
	x.editRequest(h)
	out := &x.room.request
	*out = http1.Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Head: h, ContentLength: r.ContentLength}
	if x.body == nil {
		out.ContentLength = 0
	}
	if x.route.changesTarget() || r.RequestURI[0] != '/' {
		u := *r.URL
		x.rewriteTarget(&u)
		out.Target = http1.Target(&u)
	}
	if host := x.route.Host; host != "" && host != HostUpstream {
		out.Host = host
	}
	return out
}

// copyBody relays an answer's body. It flushes each part of a possible stream.
func (x *exchange) copyBody(res *message.Response) error {
	if b, ok := res.Body.(*collected); ok && b.complete {
		if b.n == 0 {
			return nil
		}
		_, err := x.writer.Write(b.room.bytes[:b.n])
		return err
	}
	if res.Body == http.NoBody {
		return nil
	}
	buf := x.proxy.buffers.Get()
	defer x.proxy.buffers.Put(buf)
	prompt := res.ContentLength < 0 || isStream(res)
	x.answer.prompt = prompt
	if prompt {
		x.writer.push() // also sends the header, which may be all for a while
	}
	for {
		n, err := res.Body.Read(buf)
		if n > 0 {
			if _, err := x.writer.Write(buf[:n]); err != nil {
				return err
			}
			if prompt {
				x.writer.push()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeTrailer passes on the trailer that has followed a body.
func (x *exchange) writeTrailer(res *message.Response) {
	h := x.writer.Header()
	for name, values := range res.Trailers() {
		for _, v := range values {
			h.Add(http.TrailerPrefix+name, v)
		}
	}
}
