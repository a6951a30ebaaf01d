package proxy_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// This file turns bytes into the input of FuzzRelays: a request, an upstream's answers,
// and the rules of a route.

// dice makes choices from bytes. When no bytes are left, it makes the first choice.
type dice struct{ left []byte }

func (d *dice) below(n int) int {
	if len(d.left) == 0 {
		return 0
	}
	v := int(d.left[0])
	d.left = d.left[1:]
	return v % n
}

func (d *dice) yes() bool { return d.below(4) == 3 }

func (d *dice) of(list ...string) string { return list[d.below(len(list))] }

// some returns up to n lines of a list, now and then with bytes as a value.
func (d *dice) some(n int, list []string) string {
	var b strings.Builder
	for range d.below(n + 1) {
		i := d.below(len(list) + 1)
		if i < len(list) {
			b.WriteString(list[i] + "\r\n")
			continue
		}
		b.WriteString("x-Raw: " + d.raw(d.below(12)) + "\r\n")
	}
	return b.String()
}

// raw returns bytes that are allowed in a value.
func (d *dice) raw(n int) string {
	n = min(n, len(d.left))
	b := bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\t'
		}
		return r
	}, d.left[:n])
	d.left = d.left[n:]
	return string(b)
}

// part is a part of a message, sent after a pause.
type part struct {
	after time.Duration
	text  string
}

// parts cuts a message in up to three.
func (d *dice) parts(text string) (list []part) {
	for range d.below(3) {
		n := d.below(256)
		if n >= len(text) {
			break
		}
		pause := []time.Duration{0, 30 * time.Millisecond, 60 * time.Millisecond, 300 * time.Millisecond}[d.below(4)]
		list = append(list, part{text: text[:n]}, part{after: pause})
		text = text[n:]
	}
	return append(list, part{text: text})
}

var requestFields = []string{
	"Accept: */*", "accept: text/html", "ACCEPT: application/json, x/y", "Accept: text/event-stream", "User-Agent: x", "User-agent:", "User-Agent: y",
	"TE: trailers", "te: gzip, Trailers", "TE: gzip", "Trailer: X-Sum", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
	"Connection: close", "Connection: keep-alive", "connection: x-a, TE", "Connection: host, content-length", "Connection: X-Forwarded-For,,close",
	"Connection: Cookie", "Connection: upgrade", "Close: 1", "Connection: x-set, accept, user-agent",
	"X-A: 1", "x-a: 2", "X-a:  3\t", "X_A: 4", "X-Set: client", "x_set: client", "Cookie: a=b", "cookie: c=d; e=f", "Authorization: Basic dTpw",
	"Proxy-Authorization: Basic dTpw", "Proxy-Authenticate: Basic", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.1, 198.51.100.7", "x-forwarded-for: a",
	"X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "Forwarded: for=192.0.2.9", "X-Real-IP: 192.0.2.3", "X-Request-Id: abc", "x_request_id: abc", "Via: 1.0 fred",
	"Content-Length: 0", "Content_Length: 7", "Content-Type: application/grpc", "Expect:", "Expect: 100-continue", "Upgrade: websocket", "Upgrade: h2c", "HTTP2-Settings: AAMA",
	"Host: b", "Goodgate-Drain: 1", "Empty:", "X-Bytes: \xff\x80", "Range: bytes=0-1", "If-None-Match: \"x\"", "Content-Encoding: gzip", "Transfer-Encoding: gzip", "Date: today",
}

var answerFields = []string{
	"Content-Type: text/html", "content-type: text/event-stream", "Content-Type: application/grpc", "Server: x", "server: y", "Set-Cookie: a=b", "Set-cookie: c=d",
	"Date: Thu, 01 Jan 1970 00:00:00 GMT", "Connection: close", "connection: Keep-Alive, x-a", "Keep-Alive: timeout=5", "Connection: content-length", "Connection: set-cookie, close",
	"Close: 1", "Upgrade: h2c", "Proxy-Connection: x", "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x", "Trailer: X-Sum", "trailer: X-Late,x-a", "Trailer: Content-Type", "Te: x",
	"X-A: 1", "x-a: 2", "X_A: 3", "X-Sum: head", "X-Request-Id: upstream's", "Proxy-Status: other; error=x", "Alt-Svc: h3=\":443\"", "Retry-After: 1", "Goodgate-Drain: 5s", "RateLimit: x",
	"Etag: \"x\"", "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT", "Cache-Control: no-transform", "Content-Encoding: gzip", "Vary: *", "Empty:", "X-Bytes: \xff\x80", "X-Folded: a\r\n b",
	"Location: /x", "Accept-Ranges: bytes", "Via: 1.1 x",
}

// bodyOf returns a body and the lines that frame it.
func (d *dice) bodyOf(size int, trailers []string) (framing, body string) {
	text := strings.Repeat("0123456789abcde\n", size/16+1)[:size]
	switch d.below(6) {
	case 1:
		return "Transfer-Encoding: chunked\r\n", chunks(text, d.below(200)+1) + "\r\n"
	case 2:
		return "transfer-encoding: chunked\r\n" + d.some(1, []string{"Trailer: X-Sum", "trailer: x-late, X-A, Via"}), chunks(text, 999) + d.some(3, trailers) + "\r\n"
	case 3:
		return "", text
	case 4:
		return fmt.Sprintf("content-length: 0%d\r\nContent-Length: 0%[1]d\r\n", size), text
	}
	return fmt.Sprintf("Content-Length: %d\r\n", size), text
}

func chunks(text string, each int) string {
	var b strings.Builder
	for len(text) > 0 {
		n := min(each, len(text))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, text[:n])
		text = text[n:]
	}
	return b.String() + "0\r\n"
}

var trailerFields = []string{"X-Sum: 42", "x-sum: 43", "X-Late: 1", "X-A: t", "Via: 1.1 t", "Content-Type: t", "X-Set: t", "Goodgate-Drain: 1", "X-Request-Id: t", "Cookie: t=1"}

// request returns a client's request and its method. leaves means that the client then
// closes its sending side.
func (d *dice) request() (method string, parts []part, leaves bool) {
	method = d.of("GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "get")
	target := d.of("/", "/api", "/api/x", "/api//x", "/%61pi/x%2Fy", "/a[b]", "/a\x80?\x81", "/?", "/?a=b;c", "/a?b=%zz", "/api/?x=/../y", "/a;b", "/api%20x", "*", "http://h/x", "http://h", "http://h/a|b?", "//h/x", "/api/../x", "/a?b#c")
	head := method + " " + target + " HTTP/1." + d.of("1", "1", "1", "1", "0") + "\r\n" + d.of("Host: a\r\n", "hOST: A.example:80\r\n", "Host: [::1]:80\r\n") + d.some(6, requestFields)
	framing, body := "", ""
	if d.below(3) == 2 {
		framing, body = d.bodyOf([]int{0, 1, 5, 40, 5000}[d.below(5)], trailerFields)
	}
	message := head + framing + "\r\n" + body
	if leaves = d.below(4) == 3; leaves {
		message = message[:d.below(len(message))]
	}
	return method, d.parts(message), leaves
}

// reply is an upstream's answer.
type reply struct {
	parts   []part
	early   bool // before the request's body was read
	leaves  bool // the connection closes after it
	refuses bool // the connection closes instead
}

// reply returns an answer. It is early only if the client does not pause: while one
// goroutine waits for the client, another waits for a lock, and a bubble's clock stops.
func (d *dice) reply(method string, pauses bool) (a reply) {
	status := d.of("200", "200", "204", "304", "404", "205", "206", "301", "500", "502", "503", "101", "299")
	head := d.of("", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-A: 1\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 \r\nConnection: x-a\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n") +
		"HTTP/1." + d.of("1", "1", "1", "1", "0") + " " + status + d.of(" OK", "", " ", " Odd Phrase") + "\r\n" + d.some(5, answerFields)
	framing, body := d.bodyOf([]int{0, 1, 5, 16, 17, 100, 3000, 70000}[d.below(8)], trailerFields)
	if method == "HEAD" || status == "204" || status == "304" {
		body = ""
	}
	message := head + framing + "\r\n" + body
	a.leaves = d.yes() || !strings.Contains(framing, ":")
	if d.yes() {
		a.leaves = true
		message = message[:len(message)*d.below(256)/256]
	}
	a.early, a.refuses = d.yes() && !pauses, d.below(4) == 3
	a.parts = d.parts(message)
	return a
}

// rules sets up a route and its pool.
func (d *dice) rules() (s setup) {
	s.pool.Retry = retries(1 + d.below(3))
	s.pool.Retry.Backoff, s.pool.Retry.MaxBackoff = 1, 1 // too short for their random part to matter
	s.pool.Retry.MaxBody = []int64{64 << 10, 16, 0}[d.below(3)]
	s.pool.Commit = proxy.Commit{Buffer: []int64{0, 16, 4096}[d.below(3)], Resume: d.yes()}
	if d.yes() {
		s.pool.Retry.Statuses = []int{503, 404}
	}
	if d.yes() {
		s.pool.Sticky = proxy.NewSticky(proxy.Sticky{Cookie: "a", Secret: []byte("secret")})
	}
	s.pool.DrainHeader = d.yes()
	s.route.StripPrefix, s.route.AddPrefix = d.of("", "/api", "/api/"), d.of("", "", "/v1", "/v 1")
	s.route.Host = d.of("", "", proxy.HostUpstream, "fixed.example")
	s.route.RetrySafe = d.yes()
	s.route.RequestHeaders = d.edits()
	s.route.ResponseHeaders = d.edits()
	if d.yes() {
		s.proxy.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.proxy.TrustedHeaders = [][]string{nil, {"Forwarded", "X-Forwarded-Host"}, {"X-Real-Ip"}}[d.below(3)]
	}
	s.proxy.Via = d.of("", "goodgate")
	s.proxy.Details = d.yes()
	if d.yes() {
		s.route.Fallback = &proxy.Fallback{Respond: &proxy.Respond{Status: []int{0, 503}[d.below(2)], Body: strings.Repeat("sorry", d.below(600)), Headers: map[string]string{"x-fixed": "1"}}}
	}
	return s
}

func (d *dice) edits() (e proxy.HeaderEdits) {
	if d.yes() {
		e.Set = map[string]string{d.of("X-Set", "x-sum", "User-Agent", "Server", "Content-Type", "Connection", "Host", "Te"): d.of("rule", "", "close", "text/event-stream")}
	}
	if d.yes() {
		e.Add = map[string]string{d.of("X-A", "accept", "Via", "Set-Cookie", "Cookie"): "rule"}
	}
	if d.yes() {
		e.Remove = []string{d.of("x-a", "X-Sum", "Date", "Accept", "X-Forwarded-For", "Content-Length", "User-Agent", "X-Request-Id", "Trailer", "Via")}
	}
	return e
}
