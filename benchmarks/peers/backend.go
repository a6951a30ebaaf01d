package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// bodies has the size of the answer for each path, in bytes.
var bodies = map[string]int{"/": 1 << 10, "/100k": 100 << 10, "/1m": 1 << 20}

// backend answers without net/http, so that the benchmark does not measure net/http.
// One process is many upstreams, each with its own socket and address.
type backend struct {
	answers map[string][]byte
	count   atomic.Int64 // number of requests to /
}

// upstreamAddrs returns n loopback addresses with one port.
func upstreamAddrs(port string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("127.1.%d.%d:%s", i/250, 1+i%250, port)
	}
	return list
}

func serveBackend(port string, n int) error {
	b := &backend{answers: map[string][]byte{}}
	for path, size := range bodies {
		head := "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n"
		b.answers[path] = append([]byte(head), bytes.Repeat([]byte("x"), size)...)
	}
	failed := make(chan error)
	for _, addr := range upstreamAddrs(port, n) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() { failed <- b.accept(l) }()
	}
	// The benchmark waits for this address, so it is the last one.
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	go func() { failed <- b.accept(l) }()
	return <-failed
}

func (b *backend) accept(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			b.serve(c)
		}()
	}
}

func (b *backend) serve(c net.Conn) {
	br := bufio.NewReaderSize(c, 4<<10)
	for {
		h, err := readHead(br)
		if err != nil {
			return
		}
		if _, err := br.Discard(h.length); err != nil {
			return
		}
		_, path, _ := strings.Cut(h.first, " ")
		path, proto, _ := strings.Cut(path, " ")
		switch path {
		case "/ws":
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") // for echo's key, because HAProxy checks it
			io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{br}, make([]byte, 4<<10))
			return
		case "/v1/traces": // accepts all traces
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
			continue
		case "/count":
			text := strconv.FormatInt(b.count.Load(), 10)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			continue
		case "/":
			b.count.Add(1)
		}
		if _, err := c.Write(b.answers[path]); err != nil || h.close || proto == "HTTP/1.0" {
			return
		}
	}
}

// head is the relevant part of a request's or response's header.
type head struct {
	first  string
	length int
	close  bool
}

func readHead(br *bufio.Reader) (h head, err error) {
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		if h.first == "" {
			h.first = string(line)
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return h, err
			}
		case len(name) == 10 && bytes.EqualFold(name, []byte("Connection")):
			h.close = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
}
