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

// Mirror sends a share of a route's requests to another pool as well, once the
// client has its answer, and compares what comes back. The client's request neither
// waits for that nor fails by it: what it pays is a copy of its header.
//
// Only what has ended well enough to be compared is sent: not what was refused, was
// upgraded, or carries the mark of another mirror, and no body that is not in memory
// as a whole.
type Mirror struct {
	Pool    *Pool
	Share   float64       // of the requests that may be mirrored, 0 to 1
	Methods []string      // nil = GET and HEAD. A pool that executes others does so twice
	MaxBody int64         // bytes of a request's body; the route's pool keeps no more than its Retry.MaxBody
	Timeout time.Duration // for each; 0 = 10 s
	Headers []string      // of answers that are compared, beside status and body
	Work    *MirrorWork   // that is under way; needed
}

// mirrorHeader marks a mirrored request, with the name of its route.
const mirrorHeader = "Goodgate-Mirror"

// takes reports whether a request is to be mirrored, by what is known at its begin.
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

// shadow is a request that is mirrored, from its delivery on.
type shadow struct {
	mirror *Mirror
	out    *http.Request // as the main pool got it; nobody else has it
	body   *replayBody   // nil = none
	told   told
	record Record // of its own
	want   shown  // the main pool's answer
	host   string
	size   int64 // bytes that it holds
}

// shown is an answer as it is compared.
type shown struct {
	Status  int
	Headers []string // the first value of each of Mirror.Headers
	Length  int      // of the body; -1 = not known
	sum     uint64   // of the body
	Latency time.Duration
}

// told is what connections for a mirrored request begin with.
type told []byte

func (t told) preface(ProxyProtocol) []byte { return t }

// reflect keeps what is needed of a request that is mirrored, before an attempt
// changes it.
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

// show keeps what is compared of the main pool's answer.
func (s *shadow) show(a *attempt, res *message.Response) {
	if s == nil {
		return
	}
	s.want = s.mirror.shownOf(res)
	s.want.Latency = a.after + a.took
}

// shownOf takes of an answer what is compared. Its body is known when it is in memory.
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

// cast sends the mirrored request once the client's has ended. It does not wait.
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
		// It can be read without the client.
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

// shadowSize is about what a mirrored request takes beside its header and its bodies:
// a delivery, and two goroutines' stacks.
const shadowSize = 24 << 10

// deliver asks the other pool, on a goroutine of its own.
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
	d.holdEnd = now // nobody waits for it
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
