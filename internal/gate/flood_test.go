package gate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/proxy"
)

// hostile is a client's connection of HTTP/2 that is written frame by frame.
type hostile struct {
	*http2.Framer
	conn   *net.TCPConn
	fields bytes.Buffer
	enc    *hpack.Encoder
}

func dialHostile(t *testing.T, address string) *hostile {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, http2.ClientPreface)
	h := &hostile{Framer: http2.NewFramer(c, c), conn: c.(*net.TCPConn)}
	h.enc = hpack.NewEncoder(&h.fields)
	h.WriteSettings()
	return h
}

// header returns a block of fields, the pseudo ones first.
func (h *hostile) header(extra ...hpack.HeaderField) []byte {
	h.fields.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "a.example"}, {Name: ":path", Value: "/slow"},
	}, extra...) {
		h.enc.WriteField(f)
	}
	return bytes.Clone(h.fields.Bytes())
}

// end reads until the connection ends and returns the code of its GOAWAY.
func (h *hostile) end() (code http2.ErrCode, told bool) {
	for {
		f, err := h.ReadFrame()
		if err != nil {
			return code, told
		}
		if away, ok := f.(*http2.GoAwayFrame); ok {
			code, told = away.ErrCode, true
		}
	}
}

// flood writes until the connection is closed under it, and returns how many
// bytes it took to get that far.
func (h *hostile) flood(t *testing.T, frame func(i int) error, most int) int {
	t.Helper()
	for i := range most {
		err := frame(i)
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			return i
		}
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	return most
}

// TestFloods checks that none of the known floods of HTTP/2 frames costs more than its
// own connection, and that other clients are served meanwhile.
func TestFloods(t *testing.T) {
	t.Parallel()
	const atOnce = 10 + 1 // max_streams, and the other client
	var most, gone atomic.Int64
	var huge atomic.Bool
	var g *running
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			return
		}
		if r.Header["X"] != nil {
			huge.Store(true)
		}
		n := int64(g.gate.Pools()[0].Members()[0].InFlight()) // here the end of earlier ones is noticed late
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-r.Context().Done()
	}))
	defer upstream.Close()
	g = start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http2: {cleartext: true, max_streams: 10}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q], retry: {hedge: {budget: 0%%}}}}`, upstream.URL)), Options{Observe: []func(*proxy.Record){func(r *proxy.Record) {
		if r.Reason == reason.ClientGone {
			gone.Add(1)
		}
	}}})
	served := func() {
		t.Helper()
		if got := get(t, "http://"+g.addrs[0]+"/quick"); got != "200 " {
			t.Errorf("another client: got %q", got)
		}
	}
	t.Run("rapid reset", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		over := make(chan http2.ErrCode, 1)
		go func() {
			code, _ := h.end()
			over <- code
		}()
		n := h.flood(t, func(i int) error {
			id := uint32(2*i + 1)
			return errors.Join(
				h.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.header(), EndStream: true, EndHeaders: true}),
				h.WriteRSTStream(id, http2.ErrCodeCancel))
		}, 20000)
		served()
		h.conn.CloseWrite()
		code := <-over
		t.Logf("%d streams, %v at the end; at most %d requests at once upstream, %d in the log as client_gone", n, code, most.Load(), gone.Load())
		if most.Load() > atOnce {
			t.Errorf("%d requests at once upstream, want %d at most", most.Load(), atOnce)
		}
	})
	t.Run("too many streams", func(t *testing.T) {
		inFlight := g.gate.Pools()[0].Members()[0].InFlight
		eventually(t, "the end of earlier requests", func() bool { return inFlight() == 0 }, func() string { return fmt.Sprint(inFlight(), " in flight") })
		most.Store(0)
		h := dialHostile(t, g.addrs[0])
		go h.end()
		n := h.flood(t, func(i int) error {
			return h.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: h.header(), EndStream: true, EndHeaders: true})
		}, 5000)
		t.Logf("%d streams were opened, at most %d requests at once upstream", n, most.Load())
		if most.Load() > atOnce {
			t.Errorf("%d requests at once upstream, want %d at most", most.Load(), atOnce)
		}
		served()
	})
	t.Run("CONTINUATION", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.header()})
		more := h.header(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 8<<10)})[4:]
		n := h.flood(t, func(int) error { return h.WriteContinuation(1, false, more) }, 3000)
		t.Logf("closed after %d frames of %d bytes", n, len(more))
		if n == 3000 {
			t.Error("20 MB of a header were taken")
		}
		served()
	})
	t.Run("header fields", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		var small []hpack.HeaderField
		for range 6000 { // one byte on the wire each, once the first is in the table
			small = append(small, hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 1000)})
		}
		h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.header(small...), EndStream: true, EndHeaders: true})
		h.WritePing(false, [8]byte{1})
		for {
			f, err := h.ReadFrame()
			if err != nil {
				break
			}
			if f, ok := f.(*http2.PingFrame); ok && f.IsAck() {
				break
			}
		}
		if huge.Load() {
			t.Error("a header of 6 MB reached the upstream")
		}
		served()
	})
	control := func(name string, write func(fr *http2.Framer) error) {
		t.Run(name, func(t *testing.T) {
			h := dialHostile(t, g.addrs[0]) // and nothing of the answers is read
			h.conn.SetReadBuffer(4096)
			var batch bytes.Buffer
			for fr := http2.NewFramer(&batch, nil); batch.Len() < 64<<10; {
				write(fr)
			}
			n := 0
			for ; n < 1000; n++ {
				h.conn.SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := h.conn.Write(batch.Bytes()); err != nil {
					break
				}
			}
			t.Logf("stopped after %d KiB", 64*n)
			if n == 1000 {
				t.Errorf("%d KiB were taken while no answer was read", 64*n)
			}
			served()
		})
	}
	control("SETTINGS", func(fr *http2.Framer) error { return fr.WriteSettings() })
	control("PING", func(fr *http2.Framer) error { return fr.WritePing(false, [8]byte{1}) })
	t.Run("frame that is too large", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		h.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, make([]byte, 16<<10+1))
		if code, told := h.end(); !told || code != http2.ErrCodeFrameSize {
			t.Errorf("GOAWAY: %t, %v; want FRAME_SIZE_ERROR", told, code)
		}
		served()
	})
	t.Run("window beyond its end", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		h.WriteWindowUpdate(0, 1<<31-1)
		h.WriteWindowUpdate(0, 1<<31-1)
		if code, told := h.end(); !told || code != http2.ErrCodeFlowControl {
			t.Errorf("GOAWAY: %t, %v; want FLOW_CONTROL_ERROR", told, code)
		}
		served()
	})
}

// A client that sends many requests and reads nothing loses its connection.
func TestFloodWithoutReader(t *testing.T) {
	t.Parallel()
	g := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http2: {cleartext: true}, timeouts: {write_idle: 1s}}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, app(t, "hello"))), Options{})
	h := dialHostile(t, g.addrs[0])
	h.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	var pings bytes.Buffer
	many := http2.NewFramer(&pings, nil)
	for range 1000 {
		many.WritePing(false, [8]byte{})
	}
	var err error
	for err == nil {
		_, err = h.conn.Write(pings.Bytes())
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}
