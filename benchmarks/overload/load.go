package main

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// clients is the number of clients that are not greedy. Each has its own address.
const clients = 20

// clientMax bounds one request with its retries.
const clientMax = 5 * time.Second

// answer is the result of one request.
type answer struct {
	at     time.Duration // due time, since the load began
	took   time.Duration // time since the due time
	status int           // 0 = no answer
	greedy bool
}

// load is an open loop: requests come at random times, independent of earlier ones.
type load struct {
	scenario
	addr    string
	clients []*client // the greedy one is the last
	began   time.Time
	lag     time.Duration // largest delay of sending

	mu      sync.Mutex // protects answers
	answers []answer
}

func newLoad(s scenario, addr string) *load {
	l := &load{scenario: s, addr: addr}
	for i := range clients + 1 {
		l.clients = append(l.clients, &client{addr: addr, from: net.IPv4(127, 0, 7, byte(1+i))})
	}
	return l
}

// run sends the requests of all phases and waits for their results. Times count from
// the first phase; the quiet time before has negative ones.
func (l *load) run(ctx context.Context, all []*backend) []answer {
	l.began = time.Now().Add(quiet)
	random := rand.New(rand.NewPCG(1, 2))
	var sent sync.WaitGroup
	at := -quiet
	for i, p := range append([]phase{{last: quiet, load: 0.5}}, l.phases...) {
		if p.change != nil {
			p.change(all)
		}
		end := at + p.last
		for {
			at += time.Duration(random.ExpFloat64() / (p.load * capacity) * float64(time.Second))
			if at >= end || ctx.Err() != nil {
				break
			}
			c, a := l.clients[random.IntN(clients)], answer{at: at}
			if a.greedy = l.greedy && i > 0 && random.Float64() > 0.5/p.load; a.greedy {
				c = l.clients[clients]
			}
			time.Sleep(time.Until(l.began.Add(at)))
			l.lag = max(l.lag, time.Since(l.began.Add(at)))
			sent.Go(func() { l.one(ctx, c, a) })
		}
		at = end
	}
	sent.Wait()
	for _, c := range l.clients {
		c.close()
	}
	return l.answers
}

// one sends a request, with the retries of the case.
func (l *load) one(ctx context.Context, c *client, a answer) {
	began := l.began.Add(a.at)
	ctx, cancel := context.WithDeadline(ctx, began.Add(clientMax))
	defer cancel()
	for range 1 + l.retries {
		if a.status = c.do(ctx); a.status == http.StatusOK || ctx.Err() != nil {
			break
		}
	}
	a.took = time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

// client keeps its connections alive and never repeats a request by itself.
type client struct {
	addr string
	from net.IP

	mu   sync.Mutex // protects idle
	idle []*clientConn
}

type clientConn struct {
	net.Conn
	in *bufio.Reader
}

// do sends a request and returns the status, 0 without a complete answer.
func (c *client) do(ctx context.Context) int {
	conn, err := c.take(ctx)
	if err != nil {
		return 0
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	status, keep := conn.exchange()
	if stop() && keep {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.idle = append(c.idle, conn)
		return status
	}
	conn.Close()
	return status
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
	raw, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: c.from}}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	raw.(*net.TCPConn).SetLinger(0) // thousands of connections in TIME_WAIT would take the ports of the next case
	return &clientConn{raw, bufio.NewReader(raw)}, nil
}

func (c *clientConn) exchange() (status int, keep bool) {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: overload\r\n\r\n"); err != nil {
		return 0, false
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, false
	}
	return res.StatusCode, !res.Close
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		conn.Close()
	}
}
