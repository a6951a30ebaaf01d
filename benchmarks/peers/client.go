package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// result is the result of a load.
type result struct {
	n              int
	took           time.Duration
	p50, p99, p999 time.Duration
}

// closed runs clients that each repeat one action for a time. It is a closed loop:
// suitable for the cost per request and the highest throughput, not for latency at a
// given rate. It never retries: any failure ends it.
func closed(clients int, each time.Duration, open func() (client, error)) (result, error) {
	times := make([][]time.Duration, clients)
	errs := make([]error, clients)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { times[i], errs[i] = repeat(open, began.Add(each)) })
	}
	wg.Wait()
	r := result{took: time.Since(began)}
	all := slices.Concat(times...)
	if err := errors.Join(errs...); err != nil {
		return r, err
	}
	if len(all) == 0 {
		return r, errors.New("nothing was answered")
	}
	slices.Sort(all)
	r.n = len(all)
	r.p50, r.p99, r.p999 = all[r.n/2], all[r.n*99/100], all[r.n*999/1000]
	return r, nil
}

// client repeats one action.
type client interface {
	once() error
	Close() error
}

func repeat(open func() (client, error), until time.Time) (times []time.Duration, err error) {
	c, err := open()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for began := time.Now(); began.Before(until); {
		if err := c.once(); err != nil {
			return nil, err
		}
		now := time.Now()
		times = append(times, now.Sub(began))
		began = now
	}
	return times, nil
}

// request is the request of plain clients.
type request struct {
	text  []byte
	again bool // use a new connection for each request
	tls   *tls.Config
}

func newRequest(path string, body int, again bool) request {
	var b strings.Builder
	method := "GET"
	if body > 0 {
		method = "POST"
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: peers.example\r\nUser-Agent: peers\r\n", method, path)
	if again {
		b.WriteString("Connection: close\r\n")
	}
	if body > 0 {
		b.WriteString("Content-Length: " + strconv.Itoa(body) + "\r\n")
	}
	b.WriteString("\r\n" + strings.Repeat("x", body))
	return request{text: []byte(b.String()), again: again}
}

// plain speaks HTTP/1.1, and parses only the necessary parts of an answer.
type plain struct {
	addr string
	request
	conn net.Conn
	br   *bufio.Reader
}

func openPlain(addr string, r request) (client, error) {
	p := &plain{addr: addr, request: r}
	if r.again {
		return p, nil
	}
	return p, p.dial()
}

func (p *plain) dial() error {
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		return err
	}
	if p.tls != nil {
		c = tls.Client(c, p.tls)
	}
	p.conn = c
	if p.br == nil {
		p.br = bufio.NewReaderSize(nil, 64<<10)
	}
	p.br.Reset(c)
	return nil
}

func (p *plain) once() error {
	if p.again {
		if err := p.dial(); err != nil {
			return err
		}
		defer p.conn.Close()
	}
	if _, err := p.conn.Write(p.text); err != nil {
		return err
	}
	h, err := readHead(p.br)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(h.first, "HTTP/1.1 200") {
		return fmt.Errorf("answer %q", h.first)
	}
	if h.length == 0 {
		return errors.New("an answer without a length")
	}
	_, err = p.br.Discard(h.length)
	return err
}

func (p *plain) Close() error {
	if p.conn == nil {
		return nil
	}
	return p.conn.Close()
}

// get sends one request.
func get(addr, path string) error {
	c, err := openPlain(addr, newRequest(path, 0, true))
	if err != nil {
		return err
	}
	return c.once()
}

// echo is a WebSocket client that expects its messages back.
type echo struct {
	conn    net.Conn
	out, in []byte
}

const echoSize = 1 << 10

func openEcho(addr string) (client, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: peers.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	h, err := readHead(bufio.NewReaderSize(c, 4<<10)) // the server sends nothing before the first message
	if err == nil && !strings.HasPrefix(h.first, "HTTP/1.1 101") {
		err = fmt.Errorf("answer %q", h.first)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	e := &echo{conn: c, out: make([]byte, echoSize), in: make([]byte, echoSize)}
	e.out[0], e.out[1] = 0x82, 126 // a binary frame; proxies do not parse it
	return e, nil
}

func (e *echo) once() error {
	if _, err := e.conn.Write(e.out); err != nil {
		return err
	}
	_, err := io.ReadFull(e.conn, e.in)
	return err
}

func (e *echo) Close() error { return e.conn.Close() }

// h2 speaks HTTP/2 over TLS, on a connection shared with others.
type h2 struct {
	http *http.Client
	url  string
	buf  []byte
}

// newH2 returns a function that opens clients on a number of connections.
func newH2(addr string, connections int) (open func() (client, error), stop func()) {
	var all []*http.Transport
	for range connections {
		p := new(http.Protocols)
		p.SetHTTP2(true)
		all = append(all, &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true})
	}
	var mu sync.Mutex // protects next
	var next int
	open = func() (client, error) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return &h2{&http.Client{Transport: all[next%len(all)]}, "https://" + addr + "/", make([]byte, 4<<10)}, nil
	}
	return open, func() {
		for _, t := range all {
			t.CloseIdleConnections()
		}
	}
}

func (c *h2) once() error {
	res, err := c.http.Get(c.url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, c.buf); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
		return fmt.Errorf("%s %s", res.Proto, res.Status)
	}
	return nil
}

func (c *h2) Close() error { return nil }

// openIdle opens clients that each send one request and are then silent.
func openIdle(ctx context.Context, addr string, n int) (list []client, err error) {
	for range n {
		c, err := openPlain(addr, newRequest("/", 0, false))
		if err == nil {
			list = append(list, c)
			err = c.once()
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			closeAll(list)
			return nil, err
		}
	}
	return list, nil
}

func closeAll(list []client) {
	for _, c := range list {
		c.Close()
	}
}
