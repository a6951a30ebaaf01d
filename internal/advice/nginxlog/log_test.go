package nginxlog

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const tail = `, client: 10.1.1.1, server: example.com, request: "GET /v1/items?token=secret HTTP/1.1", upstream: "http://10.0.0.1:3000/v1/items?token=secret", host: "example.com"`

// messages are nginx's own, as nginx 1.22 writes them.
var messages = []struct {
	text string
	want Cause
}{
	{"connect() failed (111: Connection refused) while connecting to upstream", ConnectRefused},
	{"connect() to 10.0.0.1:3000 failed (111: Connection refused) while connecting to upstream", ConnectRefused},
	{"connect() failed (113: No route to host) while connecting to upstream", ConnectUnreachable},
	{"connect() to 10.0.0.1:80 failed (101: Network is unreachable) while connecting to upstream", ConnectUnreachable},
	{"connect() failed (110: Connection timed out) while connecting to upstream", ConnectTimeout},
	{"connect() to 10.0.0.1:80 failed (13: Permission denied) while connecting to upstream", ConnectForbidden},
	{"connect() to 10.0.0.1:80 failed (99: Cannot assign requested address) while connecting to upstream", NoLocalPort},
	{"connect() to unix:/run/app.sock failed (2: No such file or directory) while connecting to upstream", SocketMissing},
	{"connect() to unix:/run/app.sock failed (13: Permission denied) while connecting to upstream", SocketForbidden},
	{"connect() to unix:/run/app.sock failed (11: Resource temporarily unavailable) while connecting to upstream", SocketBacklog},
	{"upstream timed out (110: Connection timed out) while connecting to upstream", ConnectTimeout},
	{"upstream timed out (110: Connection timed out) while reading response header from upstream", ResponseTimeout},
	{"upstream timed out (110: Connection timed out) while reading upstream", ResponseStalled},
	{"upstream timed out (110: Connection timed out) while sending request to upstream", SendTimeout},
	{"upstream timed out (110: Connection timed out) while SSL handshaking to upstream", TLSHandshake},
	{"upstream prematurely closed connection while reading response header from upstream", ClosedBeforeAnswer},
	{"upstream prematurely closed connection while reading upstream", ClosedInBody},
	{"recv() failed (104: Connection reset by peer) while reading response header from upstream", ResetBeforeAnswer},
	{"readv() failed (104: Connection reset by peer) while reading upstream", ClosedInBody},
	{"recv() failed (104: Connection reset by peer) while waiting for request", ClientGone},
	{"writev() failed (32: Broken pipe) while sending request to upstream", ClosedWhileSending},
	{"upstream sent too big header while reading response header from upstream", HeaderTooBig},
	{"upstream sent no valid HTTP/1.0 header while reading response header from upstream", InvalidResponse},
	{`upstream sent invalid header: "X\x20..." while reading response header from upstream`, InvalidResponse},
	{"SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) while SSL handshaking to upstream", TLSHandshake},
	{"SSL_do_handshake() failed (SSL: error:0A000416) while SSL handshaking", Other},
	{"peer closed connection in SSL handshake while SSL handshaking to upstream", TLSHandshake},
	{"upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to upstream", TLSCertificate},
	{`upstream SSL certificate does not match "app.internal" while SSL handshaking to upstream`, TLSCertificate},
	{"no live upstreams while connecting to upstream", NoLiveUpstreams},
	{"app.internal could not be resolved (3: Host not found)", NotResolved},
	{"upstream.internal could not be resolved (110: Operation timed out)", ResolveTimeout},
	{"no resolver defined to resolve app.internal", NoResolver},
	{`host not found in upstream "app.internal" in /etc/nginx/nginx.conf:12`, NotResolved},
	{"1024 worker_connections are not enough while connecting to upstream", WorkerConnections},
	{"1024 worker_connections are not enough, reusing connections", WorkerConnections},
	{"accept4() failed (24: Too many open files)", OpenFiles},
	{"socket() failed (24: Too many open files) while connecting to upstream", OpenFiles},
	{`open() "/usr/share/nginx/html/favicon.ico" failed (2: No such file or directory)`, Other},
	{"client intended to send too large body: 10485761 bytes", BodyTooLarge},
	{"an upstream response is buffered to a temporary file /var/lib/nginx/proxy/1/00/0000000001 while reading upstream", ResponseBuffered},
	{"a client request body is buffered to a temporary file /var/lib/nginx/body/0000000001", RequestBuffered},
	{"limiting requests, excess: 5.600 by zone \"one\"", Limited},
	{"rewrite or internal redirection cycle while processing \"/index.html\"", RedirectCycle},
	{"bind() to 0.0.0.0:80 failed (98: Address already in use)", AddressInUse},
	{"epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while sending request to upstream", ClientGone},
	{"using the \"epoll\" event method", Other},
	{"", Other},
}

func logLine(message string) string {
	return "2026/03/01 12:00:01 [error] 1234#1234: *77 " + message + tail
}

func TestClassify(t *testing.T) {
	for _, m := range messages {
		head, _ := cut(message([]byte(logLine(m.text))))
		if got := classify(head); got != m.want {
			t.Errorf("%s: %v, want %v", m.text, got, m.want)
		}
	}
}

// TestClientsWords: what a client sends is no message of nginx's.
func TestClientsWords(t *testing.T) {
	line := `2026/03/01 12:00:01 [info] 1#1: *1 something else, client: 1.1.1.1, request: "GET /x could not be resolved (110: HTTP/1.1"`
	head, _ := cut(message([]byte(line)))
	if got := classify(head); got != Other {
		t.Errorf("a request line was taken for %v", got)
	}
}

func TestErrorTally(t *testing.T) {
	var b strings.Builder
	refused := "connect() failed (111: Connection refused) while connecting to upstream"
	for _, at := range []string{"10:00:00", "10:00:01", "12:30:00", "12:30:01", "12:30:02"} {
		fmt.Fprintf(&b, "2026/03/01 %s [error] 1#1: *1 %s%s\n", at, refused, tail)
	}
	b.WriteString("not a log line\n\n")
	b.WriteString("2026/03/01 12:31:00 [error] 1#1: *1 client intended to send too large body: 5000000 bytes, client: 1.1.1.1\n")
	b.WriteString("2026/03/01 12:31:00 [error] 1#1: *1 connect() to unix:/run/a.sock failed (111: Connection refused) while connecting to upstream, client: 1.1.1.1, request: \"POST /p HTTP/1.1\", upstream: \"http://unix:/run/a.sock:/p?x\"") // without an end
	tally := NewErrorTally()
	if err := tally.Read(strings.NewReader(b.String())); err != nil {
		t.Fatal(err)
	}
	all := tally.Failures()
	if len(all) != 3 || tally.Lines != 7 {
		t.Fatalf("%d kinds in %d lines, want 3 in 7", len(all), tally.Lines)
	}
	f := all[0]
	since := time.Date(2026, 3, 1, 12, 30, 0, 0, time.Local)
	if f.Cause != ConnectRefused || f.Upstream != "http://10.0.0.1:3000" || f.Count != 5 || !f.Since.Equal(since) || f.Peak != 3 {
		t.Errorf("got %+v", f)
	}
	if got := f.Path(); got != "/v1/items" || !f.GET {
		t.Errorf("path %q, GET %v", got, f.GET)
	}
	for _, f := range all[1:] {
		switch f.Cause {
		case BodyTooLarge:
			if f.Most != 5000000 {
				t.Errorf("body of %d bytes", f.Most)
			}
		case ConnectRefused:
			if f.Path() != "/p" || f.GET || f.Upstream != "unix:/run/a.sock" {
				t.Errorf("socket: %+v, path %q", f, f.Path())
			}
		}
	}
}

func TestAccessTally(t *testing.T) {
	format, err := NewFormat(`$remote_addr [$time_local] "$request" $status rt=$request_time ut=$upstream_response_time to=$upstream_addr end`)
	if err != nil {
		t.Fatal(err)
	}
	log := `1.1.1.1 [01/Mar/2026:12:00:00 +0000] "GET /slow?x=1 HTTP/1.1" 200 rt=2.500 ut=2.400 to=10.0.0.1:80 end
1.1.1.1 [01/Mar/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 rt=0.001 ut=0.000, 0.001 to=10.0.0.2:80, 10.0.0.1:80 end
1.1.1.1 [01/Mar/2026:12:00:02 +0000] "GET / HTTP/1.1" 502 rt=30.001 ut=30.001 to=10.0.0.1:80 end
1.1.1.1 [01/Mar/2026:12:00:03 +0000] "GET / HTTP/1.1" 502 rt=30.003 ut=30.003 to=10.0.0.1:80 end
strange
1.1.1.1 [01/Mar/2026:12:00:04 +0000] "GET / HTTP/1.1" 404 rt=0.000 ut=- to=- end
`
	tally := NewAccessTally()
	if err := tally.Read(strings.NewReader(log), format); err != nil {
		t.Fatal(err)
	}
	if tally.Lines != 5 || tally.Strange != 1 {
		t.Errorf("%d lines, %d strange", tally.Lines, tally.Strange)
	}
	u := tally.Traffic()[0]
	if u.Upstream != "10.0.0.1:80" || u.Requests != 4 || u.Errors[502] != 2 || u.Slowest != 2400*time.Millisecond || u.SlowestPath != "/slow" {
		t.Errorf("got %+v", u)
	}
	if u.Failed.N != 2 || u.Failed.Mean().Round(time.Second) != 30*time.Second || u.First.IsZero() {
		t.Errorf("failed %+v, first %v", u.Failed, u.First)
	}
	combined, err := NewFormat(Combined)
	if err != nil {
		t.Fatal(err)
	}
	tally = NewAccessTally()
	tally.Read(strings.NewReader(`1.1.1.1 - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 504 10 "-" "curl"`), combined)
	if got := tally.Traffic(); len(got) != 1 || got[0].Errors[504] != 1 {
		t.Errorf("combined: %+v", got)
	}
	if _, err := NewFormat("$remote_addr"); err == nil {
		t.Error("a format without a status is taken")
	}
}

func TestOpen(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "error.log")
		var b bytes.Buffer
		if compressed {
			z := gzip.NewWriter(&b)
			io.WriteString(z, "text\n")
			z.Close()
		} else {
			b.WriteString("text\n")
		}
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if string(got) != "text\n" || err != nil || in.Close() != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

// endless gives the same lines again and again.
type endless struct {
	text []byte
	at   int
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= int64(n)
	return n, nil
}

func everyMessage() []byte {
	var b bytes.Buffer
	for i, m := range messages {
		fmt.Fprintf(&b, "2026/03/01 12:00:%02d [error] 1234#1234: *77 %s%s\n", i%60, m.text, tail)
	}
	return b.Bytes()
}

// TestMemory: a log of 1 GB takes no more memory than a small one.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 1 GB")
	}
	size := int64(1 << 30)
	if raceEnabled {
		size = 1 << 26
	}
	var before, after runtime.MemStats
	tally := NewErrorTally()
	runtime.ReadMemStats(&before)
	if err := tally.Read(&endless{text: everyMessage(), left: size}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("reading %d bytes allocated %d bytes in all, want at most 4 MiB", size, got)
	}
	if tally.Bytes < size || tally.Lines < size/1000 {
		t.Errorf("read %d bytes, %d lines", tally.Bytes, tally.Lines)
	}
}

// TestManyUpstreams: what is kept is bounded, whatever a log says.
func TestManyUpstreams(t *testing.T) {
	tally := NewErrorTally()
	var b bytes.Buffer
	for i := range 3 * maxKeys {
		fmt.Fprintf(&b, "2026/03/01 12:00:01 [error] 1#1: *1 no live upstreams while connecting to upstream, upstream: \"http://u%d/p%d\"\n", i, i)
	}
	for i := range 3 * maxPaths {
		fmt.Fprintf(&b, "2026/03/01 12:00:01 [error] 1#1: *1 no live upstreams while connecting to upstream, request: \"GET /\", upstream: \"http://u0/%d\"\n", i)
	}
	if err := tally.Read(&b); err != nil {
		t.Fatal(err)
	}
	all := tally.Failures()
	if len(all) != maxKeys+1 || len(all[0].paths) > maxPaths || len(all[1].paths) > maxPaths {
		t.Errorf("%d upstreams, %d paths", len(all), len(all[0].paths))
	}
}

func TestLongLine(t *testing.T) {
	tally := NewErrorTally()
	log := logLine("no live upstreams while connecting to upstream") + strings.Repeat("x", 3*bufferSize) + "\n" + logLine("no live upstreams while connecting to upstream") + "\n"
	if err := tally.Read(strings.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	if tally.Lines != 2 {
		t.Errorf("%d lines, want 2", tally.Lines)
	}
}

func BenchmarkErrorTally(b *testing.B) {
	text := bytes.Repeat(everyMessage(), 1<<20/len(everyMessage())+1)
	tally := NewErrorTally()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := tally.Read(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccessTally(b *testing.B) {
	format, err := NewFormat(Combined + " $request_time")
	if err != nil {
		b.Fatal(err)
	}
	line := `1.1.1.1 - - [01/Mar/2026:12:00:00 +0000] "GET /some/path/of/usual/length?with=query HTTP/1.1" 200 1043 "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36" 0.012` + "\n"
	text := bytes.Repeat([]byte(line), 4000)
	tally := NewAccessTally()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := tally.Read(bytes.NewReader(text), format); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzErrorLine(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(logLine(m.text)))
	}
	f.Add([]byte("2026/03/01 12:00:01 [error] 1#1: "))
	f.Fuzz(func(t *testing.T, line []byte) {
		tally := NewErrorTally()
		tally.line(line)
		tally.Failures()
	})
}

func FuzzAccessLine(f *testing.F) {
	f.Add(Combined, []byte(`1.1.1.1 - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 504 10 "-" "curl"`))
	f.Add("$status $upstream_addr $upstream_response_time", []byte("200 a, b 1, 2"))
	f.Fuzz(func(t *testing.T, text string, line []byte) {
		format, err := NewFormat(text)
		if err != nil {
			return
		}
		NewAccessTally().line(line, format)
	})
}
