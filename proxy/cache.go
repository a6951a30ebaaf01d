package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/internal/stale"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/reason"
)

// This file answers requests with kept responses: without an upstream, or after an
// upstream has confirmed that nothing has changed (RFC 9111). stale.go keeps the
// responses.

// refreshTime bounds the fetch of a newer response after an older one was used.
const refreshTime = 30 * time.Second

var errOnlyCached = errors.New("only-if-cached, and nothing is kept")

// CacheUse is the cache's result for a request. The zero value means that the proxy did
// not ask the cache.
type CacheUse uint8

const (
	CacheHit         CacheUse = 1 + iota // a kept response, without an upstream
	CacheMiss                            // an upstream's response
	CacheRevalidated                     // a kept response that an upstream has confirmed
)

// String returns the word for the log, empty for the zero value.
func (c CacheUse) String() string {
	return [...]string{"", "hit", "miss", "revalidated"}[c]
}

// lookup is the result of an exchange's search for a kept response.
type lookup struct {
	old     *stale.Response // to revalidate; nil = none
	refresh bool            // old was used, and a newer one must be fetched
	lead    *flight         // others may wait for this request's answer; nil = they cannot
	why     string          // why the request goes upstream (RFC 9211, section 2.2); empty = it does not, or the cache was not asked
}

// mayHit reports whether a kept response may answer the request.
func (x *exchange) mayHit() bool {
	r := x.request
	return x.pool.opts.Stale.Hits && !x.route.Cache.Off && x.body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) && !r.Has(header.Upgrade) && !x.grpc
}

// kept returns a kept answer, or nil when the request has to go upstream. If another
// request is fetching the same response, it waits for that, for a bounded time.
func (x *exchange) kept() (*message.Response, *Error) {
	c, k := x.pool.stale, x.olderKey()
	for waited := false; ; waited = true {
		fields := x.main.out.fields()
		old, use := c.Look(k, fields, time.Now())
		switch use {
		case stale.Hit, stale.HitAsk:
			x.more().found = lookup{old: old, refresh: use == stale.HitAsk && k.Method == http.MethodGet}
			x.record.Cache = CacheHit
			x.countHit(use, waited)
			return x.giveKept(old, fields, "hit"), nil
		case stale.OnlyCached:
			return nil, &Error{Reason: reason.NoUpstream, Err: errOnlyCached, status: http.StatusGatewayTimeout}
		case stale.Revalidate:
			x.more().found.why = "stale"
			if !conditional(fields) {
				x.more().found.old = old
				x.main.out.set(old.Validators())
			}
		default:
			x.more().found.why = "uri-miss"
		}
		if waited {
			return nil, nil
		}
		lead, other := x.pool.flights.join(k)
		if other == nil {
			x.more().found.lead = lead
			return nil, nil
		}
		if !other.wait(x.ctx, x.pool.opts.Stale.Wait) {
			return nil, nil
		}
	}
}

func (x *exchange) countHit(use stale.Use, waited bool) {
	c := x.pool.counts
	if use == stale.Hit {
		c.Hits.Add(1)
	} else {
		c.Stale.Add(1)
	}
	if waited {
		c.Coalesced.Add(1)
	}
}

// conditional reports whether a request has its own conditions.
func conditional(fields http.Header) bool {
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if len(fields[name]) > 0 {
			return true
		}
	}
	return false
}

// set sets fields of the request for the upstream.
func (o *outgoing) set(fields map[string]string) {
	for name, v := range fields {
		if o.plain != nil {
			o.plain.Head.Set(name, v)
		} else {
			o.std.Header.Set(name, v)
		}
	}
}

// unchanged returns the kept answer after an upstream's 304, else nil.
func (x *exchange) unchanged(a *attempt) *message.Response {
	old := x.few().found.old
	if old == nil || a.res.StatusCode != http.StatusNotModified {
		return nil
	}
	fields := x.main.out.fields()
	renewed := x.pool.stale.Renew(&x.route.Cache.Rules, x.olderKey(), fields, old, a.res.Fields().Clone(), time.Now())
	for name := range old.Validators() {
		delete(fields, name) // the client did not send them
	}
	x.record.Cache = CacheRevalidated
	x.pool.counts.Revalidated.Add(1)
	res := x.giveKept(renewed, fields, "fwd=stale; fwd-status=304; stored")
	x.record.Upstream = a.m.Addr()
	a.discard()
	return res
}

// keeping tells the client and the log that the answer comes from an upstream.
func (x *exchange) keeping() {
	if why := x.few().found.why; why != "" {
		x.record.Cache = CacheMiss
		x.pool.counts.Misses.Add(1)
		x.tell("Cache-Status", "goodgate; fwd="+why)
	}
}

// giveKept makes an answer from a kept response. It is a 304 if the client already has
// it.
func (x *exchange) giveKept(r *stale.Response, fields http.Header, status string) *message.Response {
	now := time.Now()
	h := r.Header.Clone()
	h.Set("Age", strconv.FormatInt(int64(r.Age(now)/time.Second), 10))
	if ttl := r.TTL(now); status == "hit" {
		status += "; ttl=" + strconv.FormatInt(int64(ttl/time.Second), 10)
	}
	h.Add("Cache-Status", "goodgate; "+status)
	res := &http.Response{StatusCode: r.Status, Header: h, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	switch {
	case r.NotModified(fields):
		res.StatusCode = http.StatusNotModified
		h.Del("Content-Length")
	case x.request.Method == http.MethodGet && r.Status != http.StatusNoContent:
		body := r.Body
		if part, all := r.Part(fields); !all && r.Status == http.StatusOK {
			res.StatusCode = http.StatusPartialContent
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.From, part.To, len(body)))
			body = body[part.From : part.To+1]
		}
		res.ContentLength = int64(len(body))
		h.Set("Content-Length", strconv.Itoa(len(body)))
		res.Body = io.NopCloser(bytes.NewReader(body))
	}
	answer := new(message.Response)
	answer.SetHTTP(res)
	return answer
}

// refreshKept fetches a newer response to replace the one that the client got. It runs on
// the request's goroutine, after the answer.
func (x *exchange) refreshKept() {
	found := x.few().found
	if !found.refresh {
		return
	}
	lead, other := x.pool.flights.join(x.olderKey())
	if other != nil || lead == nil {
		return // another request does it
	}
	defer lead.land(true)
	x.writer.flush()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(x.ctx), refreshTime, errDeadline)
	defer cancel()
	out, old := x.main.out, found.old
	fields := out.fields()
	for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
		if out.plain != nil {
			out.plain.Head.Del(name)
		} else {
			out.std.Header.Del(name)
		}
	}
	out.set(old.Validators())
	o := x.order(x.pool, out)
	o.ctx, o.start, o.standIn, o.got1xx = ctx, time.Now(), nil, nil
	d := new(delivery)
	d.begin(o, new(Record), nil)
	d.choice = x.choice(x.pool, d.choice.Tried)
	d.choice.Now = 0
	defer d.end()
	x.pool.deposit()
	a, failed := d.run(nil)
	if failed != nil {
		return
	}
	defer a.discard()
	if a.res.StatusCode == http.StatusNotModified {
		x.pool.stale.Renew(&x.route.Cache.Rules, x.olderKey(), fields, old, a.res.Fields(), time.Now())
		return
	}
	x.remember(x.pool.stale, a.res)
}
