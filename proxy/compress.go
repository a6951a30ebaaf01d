package proxy

import (
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Compress sets which answers of upstreams to compress for clients that accept it (RFC
// 9110, section 8.4). The proxy does not compress a stream, or an answer with a content
// coding, a range, a digest or no-transform.
type Compress struct {
	Encodings []*Encoding // the proxy uses the one that the client prefers; if it prefers several equally, the first of them
	Types     []string    // media types, for example text/html, text/* or *+json
	MinSize   int64       // smallest body of known length to compress, in bytes; 0 = any
}

// Encoding is one compression format, with its memory. Create it once, and share the
// pointer. It is safe for concurrent use.
type Encoding struct {
	name string
	make func() encoder
	idle sync.Pool
	lent atomic.Int32
}

// encoder compresses one body at a time.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// coder compresses one body.
type coder struct {
	encoder
	by      *Encoding
	pending bool // it may hold unsent data
}

const (
	// maxEncoders bounds the bodies that are compressed at once. Each takes up to a
	// megabyte until a slow client has read it. Further bodies are sent uncompressed.
	maxEncoders = 256
	gzipLevel   = 5
	zstdWindow  = 256 << 10
)

// Gzip returns the encoding gzip (RFC 1952).
func Gzip() *Encoding {
	return &Encoding{name: "gzip", make: func() encoder {
		w, _ := gzip.NewWriterLevel(io.Discard, gzipLevel) // the level is valid
		return w
	}}
}

// Zstd returns the encoding zstd (RFC 8878), with a window that all clients support (RFC
// 9659).
func Zstd() *Encoding {
	return &Encoding{name: "zstd", make: func() encoder {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
		return w
	}}
}

// take returns an encoder that writes to w, nil when maxEncoders are in use.
func (e *Encoding) take(w io.Writer) encoder {
	if e.lent.Add(1) > maxEncoders {
		e.lent.Add(-1)
		return nil
	}
	enc, ok := e.idle.Get().(encoder)
	if !ok {
		enc = e.make()
	}
	enc.Reset(w)
	return enc
}

// compress starts compression for the answer with fields h, if it may be compressed. It
// must be the last edit of the fields.
func (x *exchange) compress(status int, length int64, h message.Editor) {
	c := x.route.Compress
	if c != nil && status == http.StatusNotModified {
		x.compressed(h)
	}
	if c == nil || !c.suits(x, status, length, h) {
		return
	}
	varies(h) // also for clients that get it uncompressed
	by := c.choose(slices.Collect(x.request.ValuesOf("Accept-Encoding")))
	if by == nil || x.request.Field("Range") != "" {
		return
	}
	if x.few().found.refresh {
		return // a compressed answer has no length, so its end would reach the client only after the fetch of the newer response
	}
	if x.request.Method != http.MethodHead {
		enc := by.take(rawWriter{&x.writer})
		if enc == nil {
			return
		}
		x.writer.coder = &coder{encoder: enc, by: by}
	}
	h.Set("Content-Encoding", by.name)
	h.Del("Content-Length")
	h.Del("Accept-Ranges") // the upstream's ranges are ranges of the uncompressed body
	if tag := valuesOf(h, "Etag"); len(tag) == 1 && !strings.HasPrefix(tag[0], "W/") {
		h.Set("Etag", "W/"+tag[0]) // another representation with the same meaning (RFC 9110, section 8.8.1)
	}
}

// compressed gives a 304 the fields of the compressed answer that it confirms. Otherwise a
// client would take its copy for the bytes that the upstream's strong entity tag names.
func (x *exchange) compressed(h message.Editor) {
	tag := valuesOf(h, "Etag")
	if len(tag) != 1 || strings.HasPrefix(tag[0], "W/") {
		return
	}
	weak := "W/" + tag[0]
	for list := range x.request.ValuesOf("If-None-Match") {
		if strings.Contains(list, weak) {
			h.Set("Etag", weak)
			varies(h)
			return
		}
	}
}

// varies tells caches that the answer depends on Accept-Encoding.
func varies(h message.Editor) {
	if vary := valuesOf(h, "Vary"); !listHas(vary, "Accept-Encoding") && !listHas(vary, "*") {
		h.Add("Vary", "Accept-Encoding")
	}
}

// suits reports whether the answer may be compressed for some client.
func (c *Compress) suits(x *exchange, status int, length int64, h message.Editor) bool {
	switch {
	case status < 200, status == http.StatusNoContent, status == http.StatusResetContent, status == http.StatusNotModified, status == http.StatusPartialContent, x.grpc, !x.request.ProtoAtLeast(1, 1):
		return false
	case length == 0, length >= 0 && length < c.MinSize:
		return false
	case listHas(valuesOf(h, "Cache-Control"), "no-transform"):
		return false
	}
	for _, name := range []string{"Content-Encoding", "Content-Range", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5"} {
		if hasField(h, name) {
			return false
		}
	}
	types := valuesOf(h, "Content-Type")
	return len(types) == 1 && !streams(types[0]) && c.takes(types[0])
}

// takes reports whether to compress a media type.
func (c *Compress) takes(mediaType string) bool {
	media, _, _ := strings.Cut(mediaType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return slices.ContainsFunc(c.Types, func(pattern string) bool {
		before, after, wild := strings.Cut(pattern, "*")
		return media == pattern || wild && len(media) > len(before)+len(after) && strings.HasPrefix(media, before) && strings.HasSuffix(media, after)
	})
}

// choose returns the client's favourite encoding. It returns nil if the client prefers
// the body uncompressed, or states no preference (RFC 9110, section 12.5.3).
func (c *Compress) choose(accept []string) (best *Encoding) {
	liked := map[string]float64{}
	for _, list := range accept {
		for element := range strings.SplitSeq(list, ",") {
			name, params, err := mime.ParseMediaType(element)
			if err != nil {
				continue
			}
			q := 1.0
			if text, ok := params["q"]; ok {
				if q, err = strconv.ParseFloat(text, 64); err != nil || q < 0 || q > 1 {
					q = 0
				}
			}
			liked[strings.TrimPrefix(name, "x-")] = q
		}
	}
	most := 0.0
	for _, e := range c.Encodings {
		q, ok := liked[e.name]
		if !ok {
			q = liked["*"]
		}
		if q > most {
			best, most = e, q
		}
	}
	if liked["identity"] > most {
		return nil
	}
	return best
}

// rawWriter writes an encoder's output.
type rawWriter struct{ w *responseWriter }

func (r rawWriter) Write(p []byte) (int, error) { return r.w.write(p) }

// finish ends a body that has been written completely.
func (w *responseWriter) finish() error {
	c := w.coder
	if c == nil {
		return nil
	}
	err := c.Close()
	w.coder = nil
	c.Reset(io.Discard)
	c.by.idle.Put(c.encoder)
	c.by.lent.Add(-1)
	return err
}

// abandon drops the encoder of a body that is incomplete.
func (w *responseWriter) abandon() {
	if w.coder != nil {
		w.coder.by.lent.Add(-1)
		w.coder = nil
	}
}

// push sends buffered data, for relays that copy a body part by part.
func (w *responseWriter) push() error {
	if c := w.coder; c != nil && c.pending { // httputil also calls this from a timer, before there is data
		c.pending = false
		if err := c.Flush(); err != nil {
			return err
		}
	}
	return w.control.Flush()
}

// FlushError implements the interface for [http.ResponseController].
func (w *responseWriter) FlushError() error { return w.push() }

// valuesOf returns the values of a field, given by its canonical name.
func valuesOf(h message.Editor, name string) []string {
	switch h := h.(type) {
	case http.Header:
		return h[name]
	case *header.Head:
		return slices.Collect(h.ValuesOf(name))
	}
	return nil
}

// listHas reports whether the fields, as one list, contain a token. It ignores case.
func listHas(values []string, token string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return header.ListHas(v, token) })
}
