//go:build linux && !race

package inbound

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

const plainGet = "GET /a/path?b=c HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"

// byHead is a handler that answers with a head and 1 kB.
func byHead(tb testing.TB) func(ResponseWriter, *message.Request) {
	body, head := make([]byte, 1<<10), new(header.Head)
	if err := head.Parse("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nServer: app\r\n\r\n"); err != nil {
		tb.Fatal(err)
	}
	return func(w ResponseWriter, r *message.Request) {
		w.WriteHead(200, "Fine", head)
		w.Write(body)
	}
}

// BenchmarkGet counts the server's allocations for a plain GET. The client allocates
// nothing.
func BenchmarkGet(b *testing.B) {
	b.Run("Serve", func(b *testing.B) {
		exchange := asking(b, serve(b, Options{KeepAlive: time.Minute, Header: time.Minute, Serve: byHead(b)}))
		b.ReportAllocs()
		for b.Loop() {
			exchange()
		}
	})
	b.Run("Handler", func(b *testing.B) {
		body := make([]byte, 1<<10)
		exchange := asking(b, serve(b, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Length"] = []string{"1024"}
			w.Write(body)
		})}))
		b.ReportAllocs()
		for b.Loop() {
			exchange()
		}
	})
}

// TestGetAllocates checks that a plain GET costs one allocation, its head.
func TestGetAllocates(t *testing.T) {
	exchange := asking(t, serve(t, Options{KeepAlive: time.Minute, Header: time.Minute, Serve: byHead(t)}))
	if n := testing.AllocsPerRun(1000, exchange); n > 1 {
		t.Errorf("got %v allocations, want 1", n)
	}
}

// asking returns a function that sends a plain request and reads the answer of 1 kB, over
// one connection and without an allocation.
func asking(tb testing.TB, addr net.Addr) func() {
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	request, buf := []byte(plainGet), make([]byte, 4<<10)
	return func() {
		if _, err := c.Write(request); err != nil {
			tb.Fatal(err)
		}
		for n := 0; ; {
			m, err := c.Read(buf[n:])
			if err != nil {
				tb.Fatal(err)
			}
			n += m
			if head := bytes.Index(buf[:n], []byte("\r\n\r\n")); head >= 0 && n >= head+4+1<<10 {
				return
			}
		}
	}
}

// BenchmarkIdle measures the memory per client that has sent one request and waits,
// after its connection has given up its stack. It does not include the clients'
// sockets.
func BenchmarkIdle(b *testing.B) {
	const clients = 1000
	for _, asked := range []bool{false, true} {
		b.Run(fmt.Sprintf("asked=%t", asked), func(b *testing.B) {
			for b.Loop() {
				benchIdle(b, clients, asked)
			}
		})
	}
}

func benchIdle(b *testing.B, clients int, asked bool) {
	addr := serve(b, Options{KeepAlive: time.Hour, Serve: func(w ResponseWriter, r *message.Request) { io.WriteString(w, "hello") }}).(*net.TCPAddr)
	before := inUse()
	for range clients {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			b.Fatal(err)
		}
		if !asked {
			continue
		}
		var buf [4 << 10]byte
		if _, err := unix.Write(fd, []byte(plainGet)); err != nil {
			b.Fatal(err)
		}
		if n, err := unix.Read(fd, buf[:]); n <= 0 || err != nil {
			b.Fatal(n, err)
		}
	}
	runtime.GC() // which decides how large new stacks are, by those of the clients
	time.Sleep(settle + settle/2)
	after := inUse()
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(clients), "heap-B/client")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/float64(clients), "stack-B/client")
}

func inUse() (m runtime.MemStats) {
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m
}
