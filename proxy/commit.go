package proxy

import (
	"io"
	"math/bits"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Commit sets how much of a response the proxy buffers before the client gets its first
// byte. Until then, another upstream's response can replace one that breaks off. The
// proxy passes a larger or slow response on as it arrives. The zero value buffers
// nothing.
type Commit struct {
	Buffer int64 // bytes of a response's body, at most 16 MiB; 0 = off
	Resume bool  // when a response breaks off later, fetch the rest from another upstream with a range request, if that is safe
}

// A slow response may be a stream, which must not wait.
const (
	maxPause   = 50 * time.Millisecond  // between two parts of a buffered body
	maxCollect = 200 * time.Millisecond // for the whole buffer
)

// collect buffers the body of an attempt's answer if it may be held back. Later reads get
// the part that did not arrive in time. A body that breaks off makes the attempt fail.
func (d *delivery) collect(a *attempt) *Error {
	res, began := a.res, a.started.Add(a.took)
	from, ok := res.Body.(http1.Body)
	if !ok || !d.collectable(res) {
		return nil
	}
	b := &d.collected
	if b.from != nil { // an earlier answer may still use it
		b = new(collected)
	}
	*b = collected{from: from, lent: d.buffers, limit: d.pool.opts.Commit.Buffer}
	if err := b.take(res.ContentLength, began); err != nil {
		b.Close()
		entry := d.record.last()
		entry.Status = res.StatusCode
		entry.Took += time.Since(began)
		return &Error{Reason: bodyReason(d.ctx, err), Upstream: a.m.Addr(), Sent: true, Err: err}
	}
	res.Body = b
	return nil
}

// isWhole reports whether the whole body of an answer is buffered.
func isWhole(res *message.Response) bool {
	b, ok := res.Body.(*collected)
	return ok && b.complete
}

// collectable reports whether a response may be held back.
func (d *delivery) collectable(res *message.Response) bool {
	limit := d.pool.opts.Commit.Buffer
	return limit > 0 && res.ContentLength <= limit && !d.streaming && !isStream(res)
}

// streams reports whether a media type is a stream, whose parts must not wait.
func streams(mediaType string) bool {
	media, _, _ := strings.Cut(mediaType, ";")
	media = strings.TrimSpace(media)
	const grpc = "application/grpc" // and +proto, -web and so on
	return strings.EqualFold(media, "text/event-stream") || len(media) >= len(grpc) && strings.EqualFold(media[:len(grpc)], grpc)
}

// isStream reports whether an answer is a stream.
func isStream(res *message.Response) bool { return streams(res.Only(header.ContentType)) }

// streamType is streams for the Content-Type of a header.
func streamType(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) == 1 && streams(types[0])
}

// collected is a response's body of which the beginning, or all, is buffered.
type collected struct {
	from     http1.Body
	lent     *collectPool
	limit    int64       // most bytes to buffer
	room     *collectBuf // nil = returned to the pool
	n        int         // bytes in room
	off      int         // of those already read
	beyond   [1]byte     // one byte more, to see whether the body exceeds limit
	over     []byte      // the unread part of beyond
	complete bool        // from has ended
}

// take buffers what arrives in time. announced is the length of the body in bytes, -1 if
// unknown.
func (b *collected) take(announced int64, began time.Time) error {
	b.room = b.lent.get(min(max(announced, 0), trustedCollect))
	err := b.fill(began)
	b.fit()
	return err
}

// fill reads until the end, the limit, or the end of its time.
func (b *collected) fill(began time.Time) error {
	end := began.Add(maxCollect)
	until := began.Add(maxPause)
	for {
		p := b.room.bytes[b.n:min(int64(len(b.room.bytes)), b.limit)]
		full := int64(b.n) == b.limit
		switch {
		case full: // the body may end exactly at the limit
			p = b.beyond[:]
		case len(p) == 0:
			b.grow()
			continue
		}
		n, err := b.from.ReadUntil(p, until)
		if full {
			b.over = p[:n]
		} else {
			b.n += n
		}
		switch {
		case len(b.over) > 0:
			return nil
		case err == io.EOF:
			b.complete = true
			return nil
		case err == http1.ErrNotYet:
			return nil
		case err != nil:
			return err
		}
		until = time.Now().Add(maxPause)
		if until.After(end) {
			until = end
		}
	}
}

func (b *collected) grow() {
	larger := b.lent.get(int64(len(b.room.bytes)) + 1)
	copy(larger.bytes, b.room.bytes[:b.n])
	b.lent.put(b.room)
	b.room = larger
}

// fit switches to a smaller buffer if less has arrived than was announced.
func (b *collected) fit() {
	if collectSize(int64(b.n)) == collectSize(int64(len(b.room.bytes))) {
		return
	}
	smaller := b.lent.get(int64(b.n))
	copy(smaller.bytes, b.room.bytes[:b.n])
	b.lent.put(b.room)
	b.room = smaller
}

// Read returns the buffered part first, and then the rest from the upstream.
func (b *collected) Read(p []byte) (int, error) {
	if b.off < b.n && b.room != nil {
		n := copy(p, b.room.bytes[b.off:b.n])
		b.off += n
		return n, nil
	}
	if len(b.over) > 0 {
		n := copy(p, b.over)
		b.over = b.over[n:]
		return n, nil
	}
	if b.complete {
		return 0, io.EOF
	}
	b.release()
	return b.from.Read(p)
}

// here reports whether a Read will surely return without waiting.
func (b *collected) here() bool {
	return b.off < b.n && b.room != nil || len(b.over) > 0 || b.complete || b.from.Here()
}

func (b *collected) Close() error {
	b.release()
	b.over = nil
	return b.from.Close()
}

func (b *collected) release() {
	if b.room != nil {
		b.lent.put(b.room)
		b.room = nil
	}
}

// collectPool lends the buffers for response bodies. The sizes are powers of four: small
// ones cost little, and large ones seldom have to grow.
type collectPool struct{ sizes [7]sync.Pool }

const (
	trustedCollect  = 64 << 10 // largest buffer given for an announced length; it grows when the bytes arrive
	smallestCollect = 4 << 10
	largestCollect  = smallestCollect << (2 * 6)
)

// collectBuf is a lent buffer.
type collectBuf struct{ bytes []byte }

// get returns a buffer for n bytes, at most largestCollect.
func (c *collectPool) get(n int64) *collectBuf {
	i := collectSize(n)
	if b, ok := c.sizes[i].Get().(*collectBuf); ok {
		return b
	}
	return &collectBuf{make([]byte, smallestCollect<<(2*i))}
}

func (c *collectPool) put(b *collectBuf) {
	c.sizes[collectSize(int64(len(b.bytes)))].Put(b)
}

// collectSize returns the index of the smallest size that holds n bytes.
func collectSize(n int64) int {
	return (bits.Len64(uint64(max(n-1, 0))/smallestCollect) + 1) / 2
}
