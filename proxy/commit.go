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

// Commit says how much of a response is collected before the client sees a byte
// of it: while it has seen none, a response that breaks off can be replaced. A
// response that is larger, or slow, is passed on as it comes. The zero value
// collects nothing.
type Commit struct {
	Buffer int64 // bytes of a response's body, 16 MiB at most; 0 = off
	Resume bool  // a response that breaks off later is completed by a range from another upstream, if it may
}

// A response that is slow may be a stream, which must not wait.
const (
	maxPause   = 50 * time.Millisecond  // between two parts of a body that is collected
	maxCollect = 200 * time.Millisecond // for all of it
)

// collect reads the body of an attempt's answer if it may be held back. What does not come in time is left to be read.
// A body that breaks is a failure of the attempt.
func (d *delivery) collect(a *attempt) *Error {
	res, began := a.res, a.started.Add(a.took)
	from, ok := res.Body.(http1.Body)
	if !ok || !d.collectable(res) {
		return nil
	}
	b := &d.collected
	if b.from != nil { // an earlier answer may still be held
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

// isWhole reports whether all of an answer's body is here.
func isWhole(res *message.Response) bool {
	b, ok := res.Body.(*collected)
	return ok && b.complete
}

// collectable reports whether a response may be held back.
func (d *delivery) collectable(res *message.Response) bool {
	limit := d.pool.opts.Commit.Buffer
	return limit > 0 && res.ContentLength <= limit && !d.streaming && !isStream(res)
}

// streams reports whether a media type is that of a stream, whose parts matter
// as they come.
func streams(mediaType string) bool {
	media, _, _ := strings.Cut(mediaType, ";")
	media = strings.TrimSpace(media)
	const grpc = "application/grpc" // and +proto, -web and so on
	return strings.EqualFold(media, "text/event-stream") || len(media) >= len(grpc) && strings.EqualFold(media[:len(grpc)], grpc)
}

// isStream reports whether an answer is a stream.
func isStream(res *message.Response) bool { return streams(res.Only(header.ContentType)) }

// streamType is streams for what a header says of its body.
func streamType(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) == 1 && streams(types[0])
}

// collected is a response's body of which the beginning, or all, is here.
type collected struct {
	from     http1.Body
	lent     *collectPool
	limit    int64       // bytes to hold
	room     *collectBuf // nil = given back
	n        int         // bytes in room
	off      int         // of those read
	beyond   [1]byte     // what shows that more comes than limit
	over     []byte      // of beyond, not read yet
	complete bool        // nothing is left in from
}

// take reads what comes in time of a body that announces so many bytes, -1 = it does
// not.
func (b *collected) take(announced int64, began time.Time) error {
	b.room = b.lent.get(min(max(announced, 0), trustedCollect))
	err := b.fill(began)
	b.fit()
	return err
}

// fill reads until the end, or until that is not worth waiting for.
func (b *collected) fill(began time.Time) error {
	end := began.Add(maxCollect)
	until := began.Add(maxPause)
	for {
		p := b.room.bytes[b.n:min(int64(len(b.room.bytes)), b.limit)]
		full := int64(b.n) == b.limit
		switch {
		case full: // the end may still follow
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

// fit makes do with a smaller buffer where less has come than was announced.
func (b *collected) fit() {
	if collectSize(int64(b.n)) == collectSize(int64(len(b.room.bytes))) {
		return
	}
	smaller := b.lent.get(int64(b.n))
	copy(smaller.bytes, b.room.bytes[:b.n])
	b.lent.put(b.room)
	b.room = smaller
}

// Read returns what is here and then what comes.
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

// here reports whether a Read returns without waiting, as far as that is known.
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

// collectPool lends what bodies are collected in. The sizes are powers of four,
// so that a small one costs little and a large one need not grow often.
type collectPool struct{ sizes [7]sync.Pool }

const (
	trustedCollect  = 64 << 10 // what a response is given at once if it announces so much; more as it comes
	smallestCollect = 4 << 10
	largestCollect  = smallestCollect << (2 * 6)
)

// collectBuf is a buffer that has been lent.
type collectBuf struct{ bytes []byte }

// get returns a buffer for n bytes, which are largestCollect at most.
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

// collectSize returns the index of the smallest size that n bytes fit.
func collectSize(n int64) int {
	return (bits.Len64(uint64(max(n-1, 0))/smallestCollect) + 1) / 2
}
