package proxy_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/websocket"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// wsFrame is a frame of WebSocket. Payloads of tests are short.
type wsFrame struct {
	first   byte // FIN, RSV1 of a compressed message, opcode
	masked  bool
	payload string
}

func (f wsFrame) String() string {
	if f.masked {
		return string([]byte{f.first, 0x80 | byte(len(f.payload)), 0, 0, 0, 0}) + f.payload
	}
	return string([]byte{f.first, byte(len(f.payload))}) + f.payload
}

func readFrame(r *bufio.Reader) (f wsFrame, err error) {
	var head [2]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	f.first, f.masked = head[0], head[1]&0x80 != 0
	if f.masked {
		var mask [4]byte
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return f, err
		}
		if mask != [4]byte{} {
			return f, errors.New("a mask that no test sends")
		}
	}
	payload := make([]byte, head[1]&0x7f)
	_, err = io.ReadFull(r, payload)
	f.payload = string(payload)
	return f, err
}

// framesOf returns all frames until the end, in words.
func framesOf(r *bufio.Reader) (list []string) {
	for {
		f, err := readFrame(r)
		switch {
		case err == io.EOF:
			return append(list, "end")
		case err != nil:
			return append(list, err.Error())
		case f.first&0xf == 8:
			list = append(list, fmt.Sprintf("close %d masked %v", binary.BigEndian.Uint16([]byte(f.payload)), f.masked))
		default:
			list = append(list, fmt.Sprintf("%x %s", f.first, f.payload))
		}
	}
}

const upgradeWS = "GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"

// TestWebSocketsEndBetweenFrames: both sides get a Close frame with 1001, never within
// another frame, and no data after it.
func TestWebSocketsEndBetweenFrames(t *testing.T) {
	half := wsFrame{0xc2, false, "compressed"}.String()
	for name, tc := range map[string]struct {
		before, after string // sent by the upstream; after = once the tunnel must end
		want          []string
	}{
		"quiet":                    {"", "", []string{"close 1001 masked false", "end"}},
		"between messages":         {wsFrame{0x81, false, "hi"}.String(), "", []string{"81 hi", "close 1001 masked false", "end"}},
		"between fragments":        {wsFrame{0x01, false, "one "}.String(), wsFrame{0x80, false, "two"}.String(), []string{"1 one ", "close 1001 masked false", "end"}},
		"in a compressed frame":    {half[:5], half[5:] + wsFrame{0x81, false, "more"}.String(), []string{"c2 compressed", "close 1001 masked false", "end"}},
		"in the head of a frame":   {half[:1], half[1:], []string{"c2 compressed", "close 1001 masked false", "end"}},
		"the upstream closes, too": {wsFrame{0x88, false, "\x03\xe8"}.String(), "", []string{"close 1000 masked false", "end"}},
	} {
		for _, front := range []string{"net/http", "inbound"} {
			bubble(t, setup{upstreams: specs("app:80"), front: front}, func(w *world) {
				var wg sync.WaitGroup
				var heard []string
				more := make(chan struct{})
				w.script("app:80", func(c *wire) {
					c.header()
					io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"+tc.before)
					wg.Go(func() { heard = framesOf(c.r) })
					<-more
					io.WriteString(c, tc.after)
					wg.Wait()
				})
				c := w.dial()
				c.say(upgradeWS)
				c.response(t, nil)
				io.WriteString(c, wsFrame{0x82, true, "from the client"}.String())
				synctest.Wait()
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				var shutdown sync.WaitGroup
				shutdown.Go(func() { w.proxy.ShutdownTunnels(ctx) })
				synctest.Wait()
				io.WriteString(c, wsFrame{0x82, true, "too late"}.String())
				close(more)
				got := framesOf(c.r)
				check(t, name+", "+front+": the client", strings.Join(got, "; "), strings.Join(tc.want, "; "))
				c.Close()
				shutdown.Wait()
				wg.Wait()
				check(t, name+", "+front+": the upstream", strings.Join(heard, "; "), "82 from the client; close 1001 masked true; end")
			})
		}
	}
}

// TestWebSocketLibraryEnds: a client and a server of a real library see a clean end, soon.
func TestWebSocketLibraryEnds(t *testing.T) {
	bubble(t, setup{upstreams: specs("app:80")}, func(w *world) {
		served := make(chan error, 1)
		w.app("app:80", websocket.Handler(func(c *websocket.Conn) {
			for {
				var text string
				if err := websocket.Message.Receive(c, &text); err != nil {
					served <- err
					return
				}
				websocket.Message.Send(c, text)
			}
		}).ServeHTTP)
		conf, err := websocket.NewConfig("ws://front/", "http://front/")
		if err != nil {
			t.Fatal(err)
		}
		c, err := websocket.NewClient(conf, w.dial().Conn)
		if err != nil {
			t.Fatal(err)
		}
		large := strings.Repeat("x", 100_000)
		for _, text := range []string{"hello", large} {
			var got string
			if err := errors.Join(websocket.Message.Send(c, text), websocket.Message.Receive(c, &got)); err != nil || got != text {
				t.Fatalf("%d of %d bytes, %v", len(got), len(text), err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.proxy.ShutdownTunnels(ctx)
		var got string
		if err := websocket.Message.Receive(c, &got); err != io.EOF {
			t.Errorf("the client: %v", err)
		}
		if err := <-served; err != io.EOF {
			t.Errorf("the server: %v", err)
		}
		u := w.pool.Members()[0].Upstream
		check(t, "drained", proxy.TunnelsOf(u).Ended[proxy.TunnelDrained], 1)
	})
}

// TestDrainedUpstreamsEndTheirStreams: streams of drained upstreams end after the bound,
// but not those of upstreams that return before.
func TestDrainedUpstreamsEndTheirStreams(t *testing.T) {
	for name, tc := range map[string]struct {
		drain func(w *world)
		after time.Duration
	}{
		"drained":     {func(w *world) { w.pool.Members()[0].SetOperator(balancer.Drain) }, 10 * time.Second},
		"removed":     {func(w *world) { w.pool.Update(nil) }, 10 * time.Second},
		"terminating": {func(w *world) { w.pool.Update([]balancer.Spec{{Addr: "app:80", Lifecycle: balancer.Terminating}}) }, 10 * time.Second},
		"back again": {func(w *world) {
			u := w.pool.Members()[0]
			u.SetOperator(balancer.Drain)
			time.AfterFunc(5*time.Second, func() { u.SetOperator(balancer.Ready) })
		}, 30 * time.Second},
	} {
		for _, front := range []string{"net/http", "inbound"} {
			bubble(t, setup{upstreams: specs("app:80"), front: front}, func(w *world) {
				w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
					rw.Header().Set("Content-Type", "text/event-stream")
					io.WriteString(rw, "data: 1\n\n")
					rw.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
					case <-time.After(30 * time.Second):
					}
				})
				stop := make(chan struct{})
				var wg sync.WaitGroup
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						case now := <-time.After(time.Second):
							w.proxy.Sweep(now, 9*time.Second)
						}
					}
				})
				time.AfterFunc(time.Millisecond, func() { tc.drain(w) })
				began := time.Now()
				got := w.get()
				check(t, name+", "+front+": ended after", time.Since(began).Round(time.Second), tc.after)
				check(t, name+", "+front+": body", got.body, "data: 1\n\n")
				check(t, name+", "+front+": a clean end", got.err, nil)
				rec := w.record()
				check(t, name+", "+front+": escaped", rec.Escaped(), false)
				close(stop)
				wg.Wait()
			})
		}
	}
}

// TestDrainedUpstreamsEndTheirCalls: gRPC calls of drained upstreams end with a status,
// after the messages that have arrived.
func TestDrainedUpstreamsEndTheirCalls(t *testing.T) {
	bubble(t, grpcSetup("app:80"), func(w *world) {
		w.useHTTP2()
		w.h2app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/grpc")
			rw.Write([]byte("\x00\x00\x00\x00\x00"))
			rw.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		time.AfterFunc(time.Second, func() {
			w.pool.Members()[0].SetOperator(balancer.Drain)
			w.proxy.Sweep(time.Now(), time.Second)
			w.proxy.Sweep(time.Now().Add(time.Second), time.Second)
		})
		got, a := w.call()
		check(t, "answer", got, "200 application/grpc 14")
		check(t, "message", a.body, "\x00\x00\x00\x00\x00")
		check(t, "a clean end", a.err, nil)
	})
}
