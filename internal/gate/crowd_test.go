package gate

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// TestCrowd checks that clients that announce much and send little take less than twice
// the memory of harmless ones: of idle clients while goodgate waits for them, and of
// clients that wait for their answers once an upstream has their requests.
func TestCrowd(t *testing.T) {
	t.Parallel()
	const (
		post    = "POST / HTTP/1.1\r\nHost: a.example\r\n"
		get     = "GET / HTTP/1.1\r\nHost: a.example\r\n"
		chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
	)
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "a", ca.Issue("a.example"))
	overTLS := fmt.Sprintf("tls: {certificates: [{cert: %q, key: %q}]}", cert, key)
	shake := &tls.Config{RootCAs: ca.Pool(), ServerName: "a.example"}
	const h2c = "http2: {cleartext: true}"
	for _, g := range []struct {
		name     string
		size     int
		harmless crowd
		others   map[string]crowd
	}{
		{"waited for", 10_000, crowd{name: "idle clients"}, map[string]crowd{
			"half a header":            {say: post + "X"},
			"a body that is kept":      {say: post + "Content-Length: 65536\r\n\r\n"},
			"one byte of it":           {say: post + "Content-Length: 65536\r\n\r\nx"},
			"none of a large body":     {say: post + "Content-Length: 1000000000\r\n\r\n"},
			"half a preface of HTTP/2": {say: http2.ClientPreface[:10], listener: h2c},
		}},
		{"in flight", 1000, crowd{name: "clients that wait for an answer", say: get + "\r\n"}, map[string]crowd{
			"a large body":   {say: post + "Content-Length: 1000000000\r\n\r\nx"},
			"a large chunk":  {say: chunked + "3b9aca00\r\nx"},
			"missing chunks": {say: chunked},
			"an idle tunnel": {say: get + "Connection: upgrade\r\nUpgrade: echo\r\n\r\n"},
		}},
		{"HTTP/2", 500, crowd{name: "idle connections", say: greeting(nil), listener: h2c}, map[string]crowd{
			"half a header": {listener: h2c, say: greeting(func(fr *http2.Framer) {
				fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("GET")})
			})},
		}},
		{"streams of HTTP/2", 500, crowd{name: "that wait for an answer", listener: h2c, say: greeting(func(fr *http2.Framer) {
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("GET"), EndHeaders: true, EndStream: true})
		})}, map[string]crowd{
			"a body that is kept": {listener: h2c, say: greeting(upload("65536"))},
			"a large body":        {listener: h2c, say: greeting(upload("1000000000"))},
		}},
		{"TLS", 300, crowd{name: "idle connections", listener: overTLS, tls: shake}, map[string]crowd{
			"half a hello":        {listener: overTLS, say: "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"},
			"half a header":       {listener: overTLS, tls: shake, say: post + "X"},
			"a body that is kept": {listener: overTLS, tls: shake, say: post + "Content-Length: 65536\r\n\r\n"},
		}},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			size := scaled(t, g.size)
			most := 2 * g.harmless.cost(t, size)
			t.Logf("%d %s: %.1f kB each", size, g.harmless.name, most/2/1024)
			for name, c := range g.others {
				t.Run(name, func(t *testing.T) {
					got := c.cost(t, size)
					t.Logf("%.1f kB each, %.2f times as much", got/1024, 2*got/most)
					if got >= most {
						t.Errorf("got %.1f kB each, want less than %.1f", got/1024, most/1024)
					}
				})
			}
		})
	}
}

// scaled reduces a crowd if there are not enough file descriptors.
func scaled(t *testing.T, size int) int {
	t.Helper()
	const enough = 18_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Skip(err)
	}
	return size * int(min(files.Cur, enough)) / enough
}

// greeting is the beginning of an HTTP/2 client with unlimited windows.
func greeting(then func(*http2.Framer)) string {
	var b bytes.Buffer
	b.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&b, nil)
	fr.WriteSettings(
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: math.MaxInt32},
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1<<24 - 1},
		http2.Setting{ID: http2.SettingHeaderTableSize, Val: math.MaxUint32})
	fr.WriteWindowUpdate(0, math.MaxInt32-65535)
	if then != nil {
		then(fr)
	}
	return b.String()
}

// upload begins a request, and sends one byte of its body.
func upload(length string) func(*http2.Framer) {
	return func(fr *http2.Framer) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("POST", "content-length", length), EndHeaders: true})
		fr.WriteData(1, false, []byte("x"))
	}
}

// fields is a request's header as HTTP/2 has it.
func fields(method string, more ...string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	list := append([]string{":method", method, ":scheme", "http", ":authority", "a.example", ":path", "/"}, more...)
	for i := 0; i < len(list); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	return b.Bytes()
}

// crowd is clients that all do the same.
type crowd struct {
	name     string
	listener string // of the configuration
	tls      *tls.Config
	say      string
}

// cost returns goodgate's memory per client, in bytes.
func (c *crowd) cost(t *testing.T, size int) float64 {
	t.Helper()
	app := silentApp(t)
	g := startMeasured(t, fmt.Sprintf(`{listeners: [{address: "127.0.0.1:0", timeouts: {header: 2m, body_idle: 2m}, %s}],
		shutdown: {lame_duck: 0s, grace: 0s}, pools: {app: {upstreams: ["http://%s"], max_idle_conns: 10, retry: {hedge: {budget: 0%%}}}}}`, c.listener, app))
	before := g.memory(t)
	for range size {
		nc, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		defer forget(nc)
		if c.tls != nil {
			nc = tls.Client(nc, c.tls)
			if err := nc.(*tls.Conn).Handshake(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.WriteString(nc, c.say); err != nil {
			t.Fatal(err)
		}
	}
	return float64(g.memory(t)-before) / float64(size)
}

// forget resets a connection. Tens of thousands of closed ones would keep local
// ports busy for a minute, which other tests need.
func forget(nc net.Conn) {
	nc.(*net.TCPConn).SetLinger(0)
	nc.Close()
}

// silentApp is an upstream that answers nothing but upgrades.
func silentApp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	var open []net.Conn
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, nc)
			go func() {
				var b [1000]byte
				if n, _ := nc.Read(b[:]); strings.Contains(string(b[:n]), "Upgrade: echo") {
					io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
				}
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, nc := range open {
			forget(nc)
		}
	})
	return l.Addr().String()
}
