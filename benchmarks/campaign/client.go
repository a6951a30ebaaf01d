package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// clientMax is the default timeout of clients.
const clientMax = 5 * time.Second

// workPath is the path of most requests.
const workPath = "/work"

// answer is the result of one request.
type answer struct {
	at      time.Duration // due time, since the load began
	method  string
	failure string        // the failure; "" = success
	latency time.Duration // time since the due time, without the duration of the request itself
}

// Failures without a complete answer. Other failures are the status.
const (
	failedConnect = "no connection"
	failedSend    = "not sent"
	failedHeader  = "no answer"
	failedBody    = "cut answer"
	failedTime    = "timeout"
	failedForeign = "not the application's answer"
)

// client keeps connections alive and sends each request once. http.Transport would
// repeat some requests by itself, and so hide failures that the campaign must count. It
// is safe for concurrent use.
type client struct {
	at   place // its place; zero = here
	addr string
	want int // expected length of an answer with 200; 0 = any

	patience time.Duration // timeout of one request with its answer; 0 = clientMax

	mu   sync.Mutex // protects idle
	idle []*clientConn
}

type clientConn struct {
	net.Conn
	in *bufio.Reader
}

// do sends a request and reads the complete answer. It returns the failure, "" for
// success. It does not send an id of "".
func (c *client) do(ctx context.Context, method, id string) (failure string) {
	return c.ask(ctx, method, workPath, id)
}

// ask is [client.do] with a path.
func (c *client) ask(ctx context.Context, method, path, id string) (failure string) {
	return c.on(ctx, func(conn *clientConn) (string, bool) {
		if err := conn.send(method, path, id); err != nil {
			return failedSend, false
		}
		return conn.answer(method, c.want)
	})
}

// on runs an exchange on a connection, and keeps the connection if the exchange says
// so.
func (c *client) on(ctx context.Context, exchange func(*clientConn) (failure string, keep bool)) (failure string) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.patience, clientMax))
	defer cancel()
	conn, err := c.take(ctx)
	if err != nil {
		return failedConnect
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	failure, keep := exchange(conn)
	if stop() && keep {
		c.put(conn)
		return failure
	}
	conn.Close()
	if ctx.Err() != nil {
		return failedTime
	}
	return failure
}

// send sends a small request.
func (c *clientConn) send(method, path, id string) error {
	body := ""
	if method == http.MethodPost {
		body = "order " + id + "\n"
	}
	header := ""
	if id != "" {
		header = idHeader + ": " + id + "\r\n"
	}
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: campaign\r\n%sContent-Length: %d\r\n\r\n%s",
		method, path, header, len(body), body)
	return err
}

// answer reads the answer; keep means that the connection is reusable.
func (c *clientConn) answer(method string, want int) (failure string, keep bool) {
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return failedHeader, false
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	switch {
	case err != nil:
		return failedBody, false
	case res.StatusCode >= 500:
		failure = "status " + strconv.Itoa(res.StatusCode)
	case res.StatusCode == http.StatusOK && want > 0 && n != int64(want):
		failure = failedForeign
	}
	return failure, !res.Close
}

func (c *client) take(ctx context.Context) (*clientConn, error) {
	c.mu.Lock()
	if last := len(c.idle) - 1; last >= 0 {
		conn := c.idle[last]
		c.idle = c.idle[:last]
		c.mu.Unlock()
		return conn, nil
	}
	c.mu.Unlock()
	raw, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: raw, in: bufio.NewReader(raw)}, nil
}

func (c *client) dial(ctx context.Context) (conn net.Conn, err error) {
	dial := func() { conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", c.addr) }
	if c.at.do == nil {
		dial()
	} else {
		c.at.do(dial)
	}
	return conn, err
}

func (c *client) put(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

// close closes the idle connections.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		conn.Close()
	}
	c.idle = nil
}
