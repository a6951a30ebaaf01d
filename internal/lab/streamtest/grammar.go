// Package streamtest generates streams of HTTP/1.1 messages from a fuzzer's bytes, and
// starts other programs that read them. It is for tests.
//
// A stream consists of several messages. Most are well-formed; some contain constructs
// on which parsers are known to disagree. Tests compare a program's interpretation of a
// stream with goodgate's.
package streamtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// choices turns bytes into decisions. After the last byte every decision is the first
// option, which is the usual one.
type choices struct{ data []byte }

func (c *choices) n(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

// of returns an element of the list.
func (c *choices) of(list ...string) string { return list[c.n(len(list))] }

// rarely returns one of the odd values occasionally, else the usual one.
func (c *choices) rarely(usual string, odd ...string) string {
	if c.n(16) < 15 {
		return usual
	}
	return c.of(odd...)
}

// end returns the end of a line.
func (c *choices) end() string {
	if c.n(32) < 31 {
		return "\r\n"
	}
	return c.of("\n", "\r", "\r\r\n", "\n\r\n", "\r\n ", "\t\r\n", "")
}

// content returns a body: letters that identify its message, or text that looks like
// messages.
func (c *choices) content(mark byte) string {
	own := strings.Repeat(string(mark), c.n(9))
	switch c.n(8) {
	case 5:
		return own + "GET /hidden-" + string(mark) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	case 6:
		return own + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + string(mark)
	case 7:
		return own + "\r\n0\r\n\r\n"
	}
	return own
}

// framed returns the fields that frame a body, and the body.
func (c *choices) framed(mark byte) (fields, body string) {
	body = c.content(mark)
	switch c.n(16) {
	case 0, 1, 2, 3, 4:
		return c.sized(len(body)), body
	case 14:
		return c.sized(len(body)) + c.coded(), c.chunks(body, mark)
	case 15:
		return "", ""
	default:
		return c.coded(), c.chunks(body, mark)
	}
}

func (c *choices) sized(n int) string {
	value := c.rarely(fmt.Sprint(n), fmt.Sprintf("+%d", n), fmt.Sprintf("0%d", n), fmt.Sprint(n+1), fmt.Sprint(n-1), fmt.Sprintf("%d, %d", n, n),
		fmt.Sprintf("%d\r\nContent-Length: %d", n, n), fmt.Sprintf("%d\r\nContent-Length: %d", n, n+1), "", fmt.Sprintf("%d ", n), fmt.Sprintf("\t%d", n),
		"18446744073709551616", fmt.Sprintf("%#x", n), fmt.Sprintf("%d\x00", n))
	return c.rarely("Content-Length: ", "content-length:", "Content-Length : ", "Content_Length: ", " Content-Length: ", "X: y\rContent-Length: ") + value + c.end()
}

func (c *choices) coded() string {
	value := c.rarely("chunked", "Chunked", "chunked ", "gzip, chunked", "chunked, identity", "identity", ",chunked", "chunked\r\nTransfer-Encoding: chunked",
		"\tchunked", "xchunked", "\r\n chunked", "chunked;q=1", "\"chunked\"", "chunked\v")
	return c.rarely("Transfer-Encoding: ", "transfer-encoding:", "Transfer-Encoding : ", "Transfer_Encoding: ", "X: y\rTransfer-Encoding: ") + value + c.end()
}

// chunks encodes a body in chunks, with a trailer.
func (c *choices) chunks(body string, mark byte) string {
	var b strings.Builder
	for body != "" {
		n := 1 + c.n(len(body))
		b.WriteString(c.size(n) + c.end() + body[:n] + c.end())
		body = body[n:]
	}
	b.WriteString(c.rarely("0", "00", "0;x", "0 ;x", "0 ", "-0", "0x0", "00000000000000000", ""))
	b.WriteString(c.end())
	for range c.n(3) {
		b.WriteString(c.rarely("X-Sum: "+string(mark), "Content-Length: 5", "Transfer-Encoding: chunked", "X-Sum", "X-Sum : 1", " X: y", "Host: evil") + c.end())
	}
	b.WriteString(c.end())
	return b.String()
}

func (c *choices) size(n int) string {
	return c.rarely(fmt.Sprintf("%x", n), fmt.Sprintf("%X;a=b", n), fmt.Sprintf("%x ;a=\"b\"", n), fmt.Sprintf("0%x", n), fmt.Sprintf("%x ", n), fmt.Sprintf(" %x", n),
		fmt.Sprintf("%#x", n), fmt.Sprintf("+%x", n), fmt.Sprintf("%x;\r", n), fmt.Sprintf("%x;\n", n), fmt.Sprintf("1000000000000000%x", n), fmt.Sprintf("800000000000000%x", n),
		fmt.Sprintf("%x", n+1), fmt.Sprintf("%x", n-1), fmt.Sprintf("%x_", n), fmt.Sprintf("%x\x00", n))
}

// field returns a field unrelated to framing.
func (c *choices) field() string {
	return c.rarely("X-A: b", "X_A: b", "X-A : b", "X-A", ": b", "X-A: \x00", "X-A: b\r\n c", "X-A: \xff", "Connection: close", "Connection: keep-alive",
		"Connection: Content-Length", "Trailer: X-Sum", "Trailer: Content-Length", "X-A: {"+strings.Repeat("x", 5000)+"}") + c.end()
}

// maul changes some bytes of a stream.
func (c *choices) maul(s string) string {
	if c.n(4) < 3 || s == "" {
		return s
	}
	for range 1 + c.n(3) {
		at := (c.n(256)<<8 | c.n(256)) % len(s)
		switch c.n(3) {
		case 0:
			s = s[:at] + c.of("\r", "\n", "\r\n", " ", "\t", ";", ":", "0", "\x00", "\r\n\r\n") + s[at:]
		case 1:
			s = s[:at] + s[at+1:]
		case 2:
			s = s[:at] + c.of("\r", "\n", " ", "a", "\x80") + s[at+1:]
		}
		if s == "" {
			return s
		}
	}
	return s
}

// sizes returns the sizes of successive reads; 0 = all available bytes.
func (c *choices) sizes() []int {
	var list []int
	for range c.n(6) {
		list = append(list, 1+c.n(256)%(1+c.n(64)))
	}
	return list
}

// Seeds returns bytes that generate many different streams.
func Seeds() (list [][]byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		seed := make([]byte, 200)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		list = append(list, seed)
	}
	return append(list, nil)
}

// Requests returns a stream of requests, and the sizes of its successive reads.
func Requests(data []byte) (stream string, sizes []int) {
	c := &choices{data}
	var b strings.Builder
	for i := range 1 + c.n(4) {
		mark := byte('a' + i)
		if c.n(24) == 23 {
			b.WriteString(c.of("\r\n", "\n", "\r", "\r\n\r\n", " \r\n", "\r\r\n"))
		}
		b.WriteString(c.of("GET", "POST", "PUT", "HEAD", "OPTIONS", "get"))
		b.WriteString(c.rarely(" ", "  ", "\t", ""))
		b.WriteString(c.rarely("/"+string(mark), "http://h/"+string(mark), "/ /", "*", "/\x80", "/a%2fb", "/?\"", "//h"))
		b.WriteString(c.rarely(" ", "  ", "\t", ""))
		b.WriteString(c.rarely("HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", ""))
		b.WriteString(c.end())
		b.WriteString(c.rarely("Host: h\r\n", "", "Host: h\r\nHost: h\r\n", "Host:\r\n", "Host: h,i\r\n", "host: h\n"))
		fields, body := "", ""
		if c.n(3) > 0 {
			fields, body = c.framed(mark)
		}
		for range c.n(3) {
			b.WriteString(c.field())
		}
		b.WriteString(fields)
		b.WriteString(c.end())
		b.WriteString(body)
	}
	return c.maul(b.String()), c.sizes()
}

// Answer is an upstream's answer to a request.
type Answer struct {
	Method string // method of the request
	Mark   byte   // unique byte in its content
	Bytes  string
	Closes bool // the connection ends after it
}

// Answers returns the answers to successive requests, and the sizes of successive
// reads.
func Answers(data []byte) (list []Answer, sizes []int) {
	c := &choices{data}
	for i := range 1 + c.n(4) {
		mark := "qvwj"[i]
		a := Answer{Method: c.of("GET", "GET", "GET", "HEAD"), Mark: mark}
		var b strings.Builder
		for range c.n(8) / 6 {
			b.WriteString(c.of("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 P\r\nContent-Length: 3\r\n\r\n",
				"HTTP/1.1 103 Early\n\n", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
		}
		b.WriteString(c.rarely("HTTP/1.1 ", "HTTP/1.0 ", "HTTP/1.2 ", "HTTP/2 ", "http/1.1 ", "\r\nHTTP/1.1 "))
		b.WriteString(c.rarely("200 OK", "204 No Content", "304 Not Modified", "500 X", "200", "20", "2000 X", "099 X", "200 \x00"))
		b.WriteString(c.end())
		fields, body := c.framed(mark)
		for range c.n(3) {
			b.WriteString(c.field())
		}
		b.WriteString(fields)
		b.WriteString(c.end())
		b.WriteString(body)
		if c.n(8) == 7 {
			b.WriteString(c.of("\r\n", "0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"+string(mark), string(mark)))
		}
		a.Bytes = c.maul(b.String())
		list = append(list, a)
	}
	return list, c.sizes()
}
