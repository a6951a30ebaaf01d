//go:build !minimal

package http3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// goaway waits for a GOAWAY frame, and returns its stream.
func (b *bench) goaway(c *quic.Conn) uint64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	for {
		s, err := c.AcceptUniStream(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		s.SetReadDeadline(time.Now().Add(10 * time.Second))
		r := quicvarint.NewReader(s)
		if kind, err := quicvarint.Read(r); err != nil || kind != 0 { // not the control stream
			continue
		}
		for {
			frame, _ := quicvarint.Read(r)
			length, err := quicvarint.Read(r)
			if err != nil {
				b.t.Fatal(err)
			}
			if frame == 7 {
				id, _ := quicvarint.Read(r)
				return id
			}
			io.CopyN(io.Discard, r, int64(length))
		}
	}
}

// ask sends a GET on a stream of its own.
func (b *bench) ask(c *quic.Conn) *quic.Stream {
	b.t.Helper()
	s, err := c.OpenStream()
	if err != nil {
		b.t.Fatal(err)
	}
	s.Write(b.header())
	s.Close()
	s.SetReadDeadline(time.Now().Add(10 * time.Second))
	return s
}

// TestConnectionLimits: at its age or with its last request, a connection gets GOAWAY. Its
// requests end, and further ones are rejected, so that the client sends them elsewhere.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]Options{
		"requests": {Requests: 2},
		"age":      {Age: time.Nanosecond},
		"both":     {Requests: 1, Age: time.Nanosecond},
		"neither":  {Requests: 3, Age: time.Hour},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			word := make(chan bool)
			o.MaxStreams = 10
			o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-word
				io.WriteString(w, "hello")
			})
			b.serve(o)
			c := b.dial()
			open := []*quic.Stream{b.ask(c), b.ask(c)}
			if what != "neither" {
				if id := b.goaway(c); id > 8 {
					t.Errorf("GOAWAY for stream %d, after two requests", id)
				}
				_, err := io.ReadAll(b.ask(c))
				if reset, ok := errors.AsType[*quic.StreamError](err); !ok || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
					t.Errorf("a request after GOAWAY: got %v, want H3_REQUEST_REJECTED", err)
				}
			}
			close(word)
			for i, s := range open {
				got, err := io.ReadAll(s)
				reset, rejected := errors.AsType[*quic.StreamError](err)
				switch {
				case rejected && what != "requests" && what != "neither" && i > 0 && reset.ErrorCode == quic.StreamErrorCode(http3.ErrCodeRequestRejected):
				case err != nil || !bytes.HasSuffix(got, []byte("hello")):
					t.Errorf("request %d: got %q, %v", i+1, got, err)
				}
			}
			if what == "neither" {
				if err := c.Context().Err(); err != nil {
					t.Errorf("the connection has ended: %v", err)
				}
				return
			}
			if got := b.ended(c); got != "H3_NO_ERROR" {
				t.Errorf("closed by %s", got)
			}
		})
	}
}
