package proxy

import (
	"hash/maphash"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Mirror also sends a share of a route's requests to another pool, after the client has
// its answer, and compares the two answers. The client's request does not wait for the
// mirrored one, and a failure of the mirrored one does not affect it. The only cost for
// the client's request is a copy of its header.
//
// Mirror skips requests that cannot be compared: refused and upgraded ones, those marked
// by another mirror, and those whose whole body is not in memory.
type Mirror struct {
	Pool    *Pool
	Share   float64       // share of the eligible requests, from 0 to 1
	Methods []string      // nil = GET and HEAD. Another method may have its effect twice
	MaxBody int64         // largest request body to mirror, in bytes; at most Retry.MaxBody of the route's pool
	Timeout time.Duration // of each mirrored request; 0 = 10 s
	Headers []string      // response fields to compare, besides status and body
	Work    *MirrorWork   // runs the mirrored requests; required
}

// mirrorHeader marks a mirrored request. Its value is the name of the route.
const mirrorHeader = "Goodgate-Mirror"

// takes reports whether to mirror a request, by the facts known at its beginning.
func (m *Mirror) takes(r *Request) bool {
	switch {
	case m == nil || rand.Float64() >= m.Share:
		return false
	case m.Methods == nil && r.Method != http.MethodGet && r.Method != http.MethodHead:
		return false
	case m.Methods != nil && !slices.Contains(m.Methods, r.Method):
		return false
	}
	return !r.Has(header.Upgrade) && r.Field(mirrorHeader) == ""
}

// shadow is a mirrored request.
type shadow struct {
	mirror *Mirror
	out    *http.Request // as the main pool got it; nobody else has it
	body   *replayBody   // nil = none
	told   told
	record Record // its own
	want   shown  // the main pool's answer
	host   string
	size   int64 // bytes of memory that it holds
}

// shown is the part of an answer that is compared.
type shown struct {
	Status  int
	Headers []string // the first value of each of Mirror.Headers
	Length  int      // of the body; -1 = unknown
	sum     uint64   // hash of the body
	Latency time.Duration
}

// told is the beginning of connections for a mirrored request.
type told []byte

func (t told) preface(ProxyProtocol) []byte { return t }

// reflect copies a request to be mirrored, before an attempt changes it.
func (x *exchange) reflect(o *outgoing) {
	m := x.route.Mirror
	if !m.takes(x.request) {
		return
	}
	own := o.library().WithContext(m.Work.ctx)
	own.URL, own.Header = new(url.URL), maps.Clone(own.Header)
	*own.URL = *o.library().URL
	own.Header.Set(mirrorHeader, x.route.Name)
	own.Body, own.GetBody, own.Trailer = nil, nil, nil
	x.more().shadow = &shadow{mirror: m, out: own, told: x.preface(m.Pool.opts.ProxyProtocol), host: x.route.Host}
}

// show keeps the parts of the main pool's answer for the comparison.
func (s *shadow) show(a *attempt, res *message.Response) {
	if s == nil {
		return
	}
	s.want = s.mirror.shownOf(res)
	s.want.Latency = a.after + a.took
}

// shownOf returns the parts of an answer for the comparison. It includes the body only if
// the whole of it is in memory.
func (m *Mirror) shownOf(res *message.Response) shown {
	out := shown{Status: statusOf(res), Length: -1}
	for _, name := range m.Headers {
		out.Headers = append(out.Headers, res.Field(name))
	}
	switch b, ok := res.Body.(*collected); {
	case ok && b.complete:
		out.Length, out.sum = b.n, maphash.Bytes(m.Work.seed, b.room.bytes[:b.n])
	case res.ContentLength == 0:
		out.Length = 0
	}
	return out
}

// cast sends the mirrored request after the client's has ended. It does not wait.
func (x *exchange) cast(s *shadow) {
	if s.want.Status == 0 || x.answer.tunnel != nil {
		return
	}
	m, r := s.mirror, x.request
	if x.body != nil {
		if !x.body.whole() || x.body.kept() > m.MaxBody {
			m.Work.drop(DroppedBody)
			return
		}
		// It does not need the client any more.
		s.body = &replayBody{buf: x.body.buf, err: io.EOF, limit: int64(len(x.body.buf)), sized: true}
		s.body.total.Store(int64(len(x.body.buf)))
		s.out.ContentLength = int64(len(x.body.buf))
	}
	s.record = Record{ID: x.record.ID, Client: x.record.Client, Method: r.Method, Host: r.Host, Path: r.URL.Path, Proto: r.Proto, Route: x.route.Name, Pool: m.Pool.Name()}
	s.size = shadowSize + m.Pool.opts.Commit.Buffer + s.body.kept()
	for name, values := range s.out.Header {
		for _, v := range values {
			s.size += int64(len(name) + len(v))
		}
	}
	m.Work.start(s, &x.proxy.collecting)
}

// shadowSize is the approximate memory of a mirrored request beside its header and
// bodies, in bytes: a delivery, and the stacks of two goroutines.
const shadowSize = 24 << 10

// deliver sends the request to the other pool, on its own goroutine.
func (s *shadow) deliver(w *MirrorWork, buffers *collectPool) (shown, *Error) {
	m, now := s.mirror, time.Now()
	s.record.Start = now
	d := &delivery{}
	m.Pool.deposit()
	d.begin(order{
		ctx: s.out.Context(), pool: m.Pool, out: outgoing{std: s.out}, body: s.body, method: s.record.Method, host: s.host, priority: Low,
		client: s.record.Client, start: now, deadline: m.timeout(), teller: s.told, buffers: buffers, got1xx: ignore1xx,
	}, &s.record, nil)
	d.choice.Replayable = idempotent(s.record.Method)
	d.choice.Hash = uint64(now.UnixNano())
	d.holdEnd = now // it does not wait for an upstream
	defer d.end()
	a, failed := d.run(nil)
	if failed != nil {
		return shown{}, failed
	}
	got := m.shownOf(a.res)
	got.Latency = a.after + a.took
	a.discard()
	return got, nil
}

func (m *Mirror) timeout() time.Duration {
	if m.Timeout > 0 {
		return m.Timeout
	}
	return 10 * time.Second
}
