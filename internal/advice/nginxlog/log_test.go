package nginxlog

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

func logLine(message string) string {
	return "2026/03/01 12:00:01 [error] 1234#1234: *77 " + message + tail
}

func TestErrorTally(t *testing.T) {
	var b strings.Builder
	refused := "connect() failed (111: Connection refused) while connecting to upstream"
	for _, at := range []string{"10:00:00", "10:00:01", "12:30:00", "12:30:01", "12:30:02"} {
		fmt.Fprintf(&b, "2026/03/01 %s [error] 1#1: *1 %s%s\n", at, refused, tail)
	}
	b.WriteString("not a log line\n\n")
	b.WriteString("2026/03/01 12:31:00 [error] 1#1: *1 client intended to send too large body: 5000000 bytes, client: 1.1.1.1\n")
	b.WriteString("2026/03/01 12:31:00 [error] 1#1: *1 connect() to unix:/run/a.sock failed (111: Connection refused) while connecting to upstream, client: 1.1.1.1, request: \"POST /p HTTP/1.1\", upstream: \"http://unix:/run/a.sock:/p?x\"") // without a line end
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

// endless repeats the same lines.
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
	for i, m := range Messages() {
		fmt.Fprintf(&b, "2026/03/01 12:00:%02d [error] 1234#1234: *77 %s%s\n", i%60, m.Example, tail)
	}
	return b.Bytes()
}

// TestMemory checks that a log of 1 GB takes no more memory than a small one.
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

// TestManyUpstreams checks the limit on memory for a log with many upstreams.
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
	log := logLine("no live upstreams while connecting to upstream") + strings.Repeat("x", 3*logs.BufferSize) + "\n" + logLine("no live upstreams while connecting to upstream") + "\n"
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
	for _, m := range Messages() {
		f.Add([]byte(logLine(m.Example)))
	}
	f.Add([]byte("2026/03/01 12:00:01 [error] 1#1: "))
	f.Fuzz(func(t *testing.T, line []byte) {
		tally := NewErrorTally()
		tally.Line(line, time.Time{})
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
		NewAccessTally().Line(line, format)
	})
}
