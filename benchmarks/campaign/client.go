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

// clientMax is how long clients wait for an answer, if a case does not say
// otherwise.
const clientMax = 5 * time.Second

// workPath is where most requests go.
const workPath = "/work"

// answer is what became of one request.
type answer struct {
	at      time.Duration // when it should have been sent, since the load began
	method  string
	failure string        // why it counts as failed; "" = it did not
	latency time.Duration // since the moment it should have been sent, beyond what it takes by itself
}

// What fails where no whole answer came; else the failure is the status.
const (
	failedConnect = "no connection"
	failedSend    = "not sent"
	failedHeader  = "no answer"
	failedBody    = "cut answer"
	failedTime    = "timeout"
	failedForeign = "not the application's answer"
)

// client keeps connections alive and sends each request once, never again:
// http.Transport, which repeats some requests by itself, would hide what is to
// be counted. It may be used by several goroutines.
type client struct {
	at   place // where it is; the zero value = here
	addr string
	want int // length of an answer of 200; 0 = any

	patience time.Duration // bounds one request, its answer included; 0 = clientMax

	mu   sync.Mutex // protects idle
	idle []*clientConn
}

type clientConn struct {
	net.Conn
	in *bufio.Reader
}

// do sends a request and reads the whole answer. It returns why that failed, ""
// if it did not. An id of "" is not sent.
func (c *client) do(ctx context.Context, method, id string) (failure string) {
	return c.ask(ctx, method, workPath, id)
}

// ask does the same at a path.
func (c *client) ask(ctx context.Context, method, path, id string) (failure string) {
	return c.on(ctx, func(conn *clientConn) (string, bool) {
		if err := conn.send(method, path, id); err != nil {
			return failedSend, false
		}
		return conn.answer(method, c.want)
	})
}

// on has an exchange on a connection, which is kept if the exchange says so.
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

// answer reads the answer; keep says that the connection may be used again.
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

// close closes the unused connections.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		conn.Close()
	}
	c.idle = nil
}
