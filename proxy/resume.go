package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// maxResumes bounds the requests for the rest of one response.
const maxResumes = 3

// rest is the missing part of a response's body, as a range of the representation. When
// the body breaks off, another upstream can send the rest, since a strong entity tag
// promises the same bytes (RFC 9110, section 13.1.5). A nil rest means that it cannot be
// fetched.
type rest struct {
	etag     string
	encoding string // Content-Encoding
	from, to int64  // offsets of the first and the last byte
	total    int64  // length of the representation
}

// restOf returns what to fetch when the answer's body breaks off.
func (x *exchange) restOf(res *message.Response) *rest {
	if !x.delivery.pool.opts.Commit.Resume || x.request.Method != http.MethodGet || x.body != nil {
		return nil
	}
	etag := res.Only(header.ETag)
	if !strong(etag) || byteranges(res) {
		return nil
	}
	b := &rest{etag: etag, encoding: codings(res)}
	switch {
	case res.StatusCode == http.StatusOK && !res.Has(header.ContentRange):
		b.to, b.total = res.ContentLength-1, res.ContentLength
		if !strings.EqualFold(res.Only(header.AcceptRanges), "bytes") {
			return nil
		}
	case res.StatusCode == http.StatusPartialContent:
		var ok bool
		if b.from, b.to, b.total, ok = parseContentRange(res.Only(header.ContentRange)); !ok {
			return nil
		}
	default:
		return nil
	}
	if res.ContentLength <= 0 || b.length() != res.ContentLength {
		return nil
	}
	return b
}

// codings returns the content codings of a body.
func codings(res *message.Response) string {
	return strings.Join(res.Values(header.ContentEncoding), ",")
}

// byteranges reports whether a body may consist of several parts, each with its own
// header (RFC 9110, section 14.6).
func byteranges(res *message.Response) bool {
	for _, v := range res.Values(header.ContentType) {
		if strings.Contains(strings.ToLower(v), "multipart/byteranges") {
			return true
		}
	}
	return false
}

// strong reports whether a text is one strong entity tag (RFC 9110, section 8.8.3).
func strong(etag string) bool {
	n := len(etag)
	return n > 2 && etag[0] == '"' && etag[n-1] == '"' && !strings.ContainsAny(etag[1:n-1], "\" \t")
}

func (b *rest) length() int64 { return b.to - b.from + 1 }

// came records that n more bytes have arrived.
func (b *rest) came(n int) {
	if b != nil {
		b.from += int64(n)
	}
}

// ask turns a request into one for the rest.
func (b *rest) ask(h message.Editor) {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		h.Del(name)
	}
	h.Set("Range", fmt.Sprintf("bytes=%d-%d", b.from, b.to))
	h.Set("If-Range", b.etag)
}

// is reports whether an answer is exactly the rest.
func (b *rest) is(res *message.Response) bool {
	return res.StatusCode == http.StatusPartialContent && !byteranges(res) &&
		res.Only(header.ETag) == b.etag &&
		codings(res) == b.encoding &&
		res.Only(header.ContentRange) == fmt.Sprintf("bytes %d-%d/%d", b.from, b.to, b.total) &&
		res.ContentLength == b.length()
}

// parseContentRange parses "bytes 0-4/10" (RFC 9110, section 14.4). ok is false when one
// of the three numbers is missing.
func parseContentRange(s string) (from, to, total int64, ok bool) {
	spec, ok := strings.CutPrefix(s, "bytes ")
	span, size, ok2 := strings.Cut(spec, "/")
	first, last, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, false
	}
	for i, text := range []string{first, last, size} {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 0, 0, 0, false
		}
		*[]*int64{&from, &to, &total}[i] = int64(n)
	}
	return from, to, total, from <= to && to < total
}

// errNotRest is the error for an answer that is not the requested rest.
var errNotRest = errors.New("the answer is not the rest of what broke off: another entity tag, or no ranges")

// resume continues a broken body with the rest, from another upstream if there is one. It
// uses a delivery of its own. It reports false when the body cannot be completed.
func (b *leasedBody) resume(failed *Error) bool {
	if b.rest == nil {
		return false
	}
	d := b.fetch
	if d == nil {
		d = b.newFetch()
	}
	d.holdEnd, d.rounds = time.Time{}, 0
	a, failed := d.run(failed)
	if failed != nil {
		return false
	}
	b.x.record.Absorbed = reason.ByResume
	b.ReadCloser, b.a = a.res.Body, a
	return true
}

// newFetch begins a delivery of the rest, to the pool of the broken body.
func (b *leasedBody) newFetch() *delivery {
	before := b.x.delivery
	d := new(delivery)
	b.x.begin(d, before.order, before)
	tried := append(d.choice.Tried, before.choice.Tried...)
	d.choice, d.rest = before.choice, b.rest
	d.choice.Tried = tried
	b.fetch = d
	return d
}

// fetched settles the retry budget after the rest has arrived.
func (b *leasedBody) fetched() {
	if d := b.fetch; d != nil && d.retrying {
		d.retrying = false
		d.pool.budget.refund()
	}
}
