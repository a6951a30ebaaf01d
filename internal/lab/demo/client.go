package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	clientTimeout = 30 * time.Second // limit for one request with its answer
	clientIdle    = 10 * time.Second // idle time after which a connection is not reused
	loadPrefix    = "/load/"         // prefix of the load's paths
)

// client sends each request once. http.Transport would repeat some requests by itself,
// and so hide failures that the demo must count.
type client struct {
	addr string

	mu   sync.Mutex    // protects idle
	idle []*clientConn // the most recently used one is the last
}

type clientConn struct {
	net.Conn
	in   *bufio.Reader
	used time.Time
}

// do sends one request and reads the complete answer. Without a complete answer, the
// status is 0 and the error is set.
func (c *client) do(ctx context.Context, method string, number uint64) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	conn, err := c.take(ctx)
	if err != nil {
		return 0, fmt.Errorf("connecting to %s: %w", c.addr, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	status, keep, err := conn.exchange(method, number)
	if !stop() || !keep || err != nil {
		conn.Close()
	} else {
		c.put(conn)
	}
	if err != nil {
		return 0, err
	}
	return status, nil
}

// exchange sends the request and reads the answer; keep means that the connection is
// reusable.
func (c *clientConn) exchange(method string, number uint64) (status int, keep bool, err error) {
	body := ""
	if method == http.MethodPost || method == http.MethodPut {
		body = fmt.Sprintf("order %d\n", number)
	}
	_, err = fmt.Fprintf(c, "%s %s%d HTTP/1.1\r\nHost: demo\r\n%s: %d\r\nContent-Length: %d\r\n\r\n%s",
		method, loadPrefix, number, numberHeader, number, len(body), body)
	if err != nil {
		return 0, false, fmt.Errorf("sending %s: %w", method, err)
	}
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return 0, false, fmt.Errorf("reading the response to %s: %w", method, err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, false, fmt.Errorf("reading the body of the response to %s: %w", method, err)
	}
	return res.StatusCode, !res.Close, nil
}

// take returns the most recently used connection, or a new one. The others grow old,
// and are closed before the server could close them in the middle of a request.
func (c *client) take(ctx context.Context) (*clientConn, error) {
	if conn := c.reuse(); conn != nil {
		return conn, nil
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: raw, in: bufio.NewReader(raw)}, nil
}

func (c *client) reuse() *clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := 0
	for old < len(c.idle) && time.Since(c.idle[old].used) > clientIdle {
		c.idle[old].Close()
		old++
	}
	c.idle = c.idle[old:]
	if len(c.idle) == 0 {
		return nil
	}
	conn := c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	return conn
}

func (c *client) put(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.used = time.Now()
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
