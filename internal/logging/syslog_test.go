package logging

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// message5424 matches RFC 5424's SYSLOG-MSG without structured data.
var message5424 = regexp.MustCompile(`^<(0|[1-9]\d{0,2})>1 (\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{1,6}(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) - (.*)$`)

// received is a message as parsed by a receiver.
type received struct{ pri, at, host, app, pid, kind, text string }

func parse5424(t *testing.T, s string) received {
	t.Helper()
	m := message5424.FindStringSubmatch(s)
	if m == nil {
		t.Fatalf("not a message of RFC 5424: %q", s)
	}
	if n, _ := strconv.Atoi(m[1]); n > 191 {
		t.Errorf("PRI %d", n)
	}
	return received{m[1], m[2], m[3], m[4], m[5], m[6], m[7]}
}

// readFrame reads a message with its length before it (RFC 6587 section 3.4.1).
func readFrame(r *bufio.Reader) (string, error) {
	length, err := r.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil || length[0] == '0' {
		return "", fmt.Errorf("length %q", length)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}

// readLine reads a message with a newline after it (RFC 6587 section 3.4.2).
func readLine(r *bufio.Reader) (string, error) {
	text, err := r.ReadString('\n')
	return strings.TrimSuffix(text, "\n"), err
}

// receiver is a syslog server that passes its messages to a channel.
type receiver struct {
	output string
	tls    *tls.Config
	got    chan string
}

func receiveDatagrams(t *testing.T, network, address string) *receiver {
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &receiver{got: make(chan string, 100)}
	r.output = map[string]string{"udp": "syslog+udp://", "unixgram": "syslog+unix://"}[network] + c.LocalAddr().String()
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			r.got <- string(b[:n])
		}
	}()
	return r
}

// receiveStream reads the messages of all connections of a listener.
func receiveStream(l net.Listener, got chan string, next func(*bufio.Reader) (string, error)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for r := bufio.NewReader(c); ; {
				text, err := next(r)
				if err != nil {
					return
				}
				got <- text
			}
		}()
	}
}

func receiveTLS(t *testing.T) *receiver {
	ca := certtest.NewAuthority(t, "logs")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Issue("logs.example.com")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &receiver{output: "syslog+tls://" + l.Addr().String(), got: make(chan string, 100), tls: &tls.Config{RootCAs: ca.Pool(), ServerName: "logs.example.com"}}
	go receiveStream(l, r.got, readFrame)
	return r
}

func receiveTCP(t *testing.T, next func(*bufio.Reader) (string, error)) *receiver {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &receiver{output: "syslog+tcp://" + l.Addr().String(), got: make(chan string, 100)}
	go receiveStream(l, r.got, next)
	return r
}

// next waits for a message.
func (r *receiver) next(t *testing.T) received {
	t.Helper()
	select {
	case s := <-r.got:
		return parse5424(t, s)
	case <-time.After(20 * time.Second):
		t.Fatal("no message comes")
	}
	return received{}
}

func TestSyslog(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*receiver{
		"udp": receiveDatagrams(t, "udp", "127.0.0.1:0"), "unix": receiveDatagrams(t, "unixgram", filepath.Join(t.TempDir(), "log")),
		"tcp": receiveTCP(t, readFrame), "tls": receiveTLS(t), "lines": receiveTCP(t, readLine),
	} {
		l, err := Open(Options{Output: r.output, TLS: r.tls, Sample: 1, Syslog: Syslog{Facility: 16, App: "good gate", Newline: name == "lines"}})
		if err != nil {
			t.Fatal(err)
		}
		l.With("pool", "app").WithGroup("g").Warn("two\nlines", "key", "välue")
		l.Access(record(func(r *proxy.Record) { r.ID = "one" }))
		l.Access(record(func(r *proxy.Record) { r.ID, r.Status, r.Reason = "two", 502, reason.ConnectRefused }))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct{ pri, kind, part string }{
			{"132", "event", `"msg":"two\nlines","pool":"app","g":{"key":"välue"}`}, {"134", "request", `"id":"one"`}, {"132", "request", `"id":"two"`},
		} {
			m := r.next(t)
			if m.pri != want.pri || m.kind != want.kind || m.app != "good_gate" || !strings.Contains(m.text, want.part) || !json.Valid([]byte(m.text)) {
				t.Errorf("%s: got %+v, want %+v", name, m, want)
			}
			if at, err := time.Parse(time.RFC3339Nano, m.at); err != nil || m.kind == "request" && !at.Equal(record(nil).Start) {
				t.Errorf("%s: time %s, %v", name, m.at, err)
			}
		}
	}
}

// TestSyslogFormats: every format works with syslog. Events for formats without room
// for them go to standard error.
func TestSyslogFormats(t *testing.T) {
	t.Parallel()
	r := receiveTCP(t, readFrame)
	for format, want := range map[string]string{"$status $request": "200 GET /a?b=1 HTTP/1.1", "text": "path=/a status=200"} {
		l, err := Open(Options{Output: r.output, Format: format, Sample: 1, Syslog: Syslog{App: "g"}, Records: Requests})
		if err != nil {
			t.Fatal(err)
		}
		l.Access(record(nil))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if m := r.next(t); !strings.Contains(m.text, want) || m.pri != "6" {
			t.Errorf("%s: got %+v", format, m)
		}
	}
}

// TestSyslogLong: a message too long for a datagram is cut after a complete character.
func TestSyslogLong(t *testing.T) {
	t.Parallel()
	r := receiveDatagrams(t, "udp", "127.0.0.1:0")
	l, err := Open(Options{Output: r.output, Format: "$uri", Escape: "json", Sample: 1, Records: Requests})
	if err != nil {
		t.Fatal(err)
	}
	l.Access(record(func(r *proxy.Record) { r.Path = "/" + strings.Repeat("ü", maxSyslog) }))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if m := r.next(t); len(m.text) > maxSyslog || len(m.text) < maxSyslog-200 || !strings.HasSuffix(m.text, "ü") {
		t.Errorf("got %d bytes", len(m.text))
	}
}

// TestSyslogAway: while the server is away, messages wait within the limit. Nothing
// sent after the server's end is lost, and the log reports the trouble once.
func TestSyslogAway(t *testing.T) {
	t.Parallel()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, got := first.Addr().String(), make(chan string, 4000)
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := first.Accept()
		if err == nil {
			accepted <- c
		}
	}()
	events := filepath.Join(t.TempDir(), "events")
	l, err := Open(Options{Output: events, Records: Events, More: []Options{{Name: "away", Output: "syslog+tcp://" + address, Sample: 1, Records: Requests, Buffer: 64 << 20}}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(id string) { l.Access(record(func(r *proxy.Record) { r.ID = id })) }
	ask("before")
	c := <-accepted
	if text, err := readFrame(bufio.NewReader(c)); err != nil || !strings.Contains(text, `"before"`) {
		t.Fatalf("got %s, %v", text, err)
	}
	c.Close()
	first.Close()
	w := l.out.sinks[1].file.opts.Out.(*remote)
	<-w.gone // the end has arrived
	for i := range 50 {
		ask("away-" + strconv.Itoa(i))
	}
	told := func(what string) { // ends with the test
		for !strings.Contains(strings.Join(read(t, events), "\n"), what) {
			time.Sleep(time.Millisecond)
		}
	}
	told("log output fails")
	second, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("somebody else has taken the port: %v", err)
	}
	defer second.Close()
	go receiveStream(second, got, readFrame)
	for i := range 50 {
		select {
		case text := <-got:
			if want := fmt.Sprintf(`"away-%d"`, i); !strings.Contains(text, want) {
				t.Fatalf("got %s, want %s", text, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("message %d does not come", i)
		}
	}
	told("log output works again")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	raw := strings.Join(read(t, events), "\n")
	if fails, works := strings.Count(raw, "log output fails"), strings.Count(raw, "log output works again"); fails != 1 || works != 1 || l.Dropped() != 0 {
		t.Errorf("fails %d times, works %d times, %d dropped:\n%s", fails, works, l.Dropped(), raw)
	}
}

// TestSyslogNever: a server that never answers delays the end only by the limit, and
// lost messages are counted.
func TestSyslogNever(t *testing.T) {
	t.Parallel()
	w := newRemote("syslog+unix://"+filepath.Join(t.TempDir(), "none"), false, nil, func(error) {})
	out := NewWriter(WriterOptions{Out: w, Count: countFrames})
	f := newFramer(out, Syslog{})
	for range 3 {
		f.begin(slog.LevelInfo, time.Now(), "event")
		f.Write([]byte("lost\n"))
		f.mu.Unlock()
	}
	w.Interrupt()
	out.Close()
	if n := out.Dropped(); n != 3 {
		t.Errorf("dropped %d, want 3", n)
	}
}

// TestSyslogUntrusted: a server with a wrong certificate gets nothing.
func TestSyslogUntrusted(t *testing.T) {
	t.Parallel()
	r := receiveTLS(t)
	failed := make(chan error, 1)
	w := newRemote(r.output, false, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "logs.example.com"}, func(err error) { failed <- err })
	out := NewWriter(WriterOptions{Out: w, Count: countFrames})
	out.Write([]byte("1 x"))
	out.wake()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	w.Interrupt()
	out.Close()
}

func TestFrames(t *testing.T) {
	t.Parallel()
	p := []byte("3 abc10 0123456789")
	for n, want := range map[int]int{0: 0, 4: 0, 5: 5, 6: 5, 17: 5, 18: 18} {
		if got := wholeFrames(p, n); got != want {
			t.Errorf("of %d bytes %d are whole, want %d", n, got, want)
		}
	}
	if n := countFrames(p); n != 2 {
		t.Errorf("%d frames", n)
	}
}

// TestFramesAsLines: of a partly sent text, exactly the complete messages count.
func TestFramesAsLines(t *testing.T) {
	t.Parallel()
	lines, at := asLines([]byte("3 abc0 2 de"))
	if string(lines) != "abc\n\nde\n" || !slices.Equal(at, []ends{{4, 5}, {5, 7}, {8, 11}}) {
		t.Errorf("got %q, %v", lines, at)
	}
}
