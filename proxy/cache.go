package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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
	client  *outgoing       // the request with the client's own conditions, while old's are sent; nil = none are
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
	c, k, fields := x.pool.stale, x.olderKey(), x.main.out.fields()
	var other *flight
	late := time.Now().Add(x.pool.opts.Stale.Wait)
	for {
		waited := other != nil
		old, use := c.Look(k, fields, time.Now())
		switch use {
		case stale.Hit, stale.HitAsk:
			x.more().found = lookup{old: old, refresh: use == stale.HitAsk && k.Method == http.MethodGet && !x.pool.flights.open(k)}
			x.record.Cache = CacheHit
			x.countHit(use, waited)
			return x.giveKept(old, fields, "hit"), nil
		case stale.OnlyCached:
			return nil, &Error{Reason: reason.NoUpstream, Err: errOnlyCached, status: http.StatusGatewayTimeout}
		case stale.Aside:
			x.more().found.why = "bypass"
			return nil, nil
		case stale.Revalidate:
			x.more().found.why = "stale"
			x.revalidate(old, fields)
		default:
			x.more().found.why = "uri-miss"
		}
		if waited && !other.left {
			return nil, nil
		}
		var lead *flight
		if lead, other = x.pool.flights.join(k, x.few().found.old != nil || !conditional(fields)); other == nil {
			x.more().found.lead = lead
			return nil, nil
		}
		if !other.wait(x.ctx, time.Until(late)) {
			return nil, nil
		}
	}
}

// revalidate makes the request ask an upstream whether a kept response has changed, and not
// whether the client's copy has changed. The client's conditions then decide about the
// answer that the upstream confirms.
func (x *exchange) revalidate(old *stale.Response, fields http.Header) {
	found := &x.more().found
	if found.old != nil || hasAnyOf(fields, "If-Match", "If-Unmodified-Since") {
		return
	}
	client := x.main.out
	found.old, found.client = old, &client
	x.main.out = client.asking(old.Validators())
}

// asked returns the request for upstreams with the client's own conditions.
func (x *exchange) asked() *outgoing {
	if client := x.few().found.client; client != nil {
		return client
	}
	return &x.main.out
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

// conditional reports whether the answer to a request may lack the body or a part of it.
func conditional(fields http.Header) bool {
	return hasAnyOf(fields, "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range")
}

func hasAnyOf(fields http.Header, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return len(fields[name]) > 0 })
}

// asking returns the request with these conditions in place of its own.
func (o outgoing) asking(conditions map[string]string) outgoing {
	var h message.Editor
	if o.plain != nil {
		o.plain = new(*o.plain)
		head := &header.Head{Fields: slices.Clone(o.plain.Head.Fields)}
		head.Index()
		o.plain.Head, h = head, head
	} else {
		o.std = new(*o.std)
		o.std.Header = o.std.Header.Clone()
		h = o.std.Header
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
		if v, ok := conditions[name]; ok {
			h.Set(name, v)
		} else {
			h.Del(name)
		}
	}
	return o
}

// unchanged returns the kept answer after an upstream's 304, else nil.
func (x *exchange) unchanged(a *attempt) *message.Response {
	old := x.few().found.old
	if old == nil || a.res.StatusCode != http.StatusNotModified {
		return nil
	}
	fields := x.asked().fields()
	renewed := x.pool.stale.Renew(&x.route.Cache.Rules, x.olderKey(), fields, old, a.res.Fields().Clone(), time.Now())
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
	lead, other := x.pool.flights.join(x.olderKey(), true)
	if other != nil || lead == nil {
		return // another request does it
	}
	defer lead.land(landedKept)
	x.writer.flush()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(x.ctx), refreshTime, errDeadline)
	defer cancel()
	old := found.old
	o := x.order(x.pool, x.main.out.asking(old.Validators()))
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
		x.pool.stale.Renew(&x.route.Cache.Rules, x.olderKey(), x.main.out.fields(), old, a.res.Fields(), time.Now())
		return
	}
	x.remember(x.pool.stale, a.res)
}
