package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// clients send requests of every kind at a steady rate, independent of the answers, and
// never a request twice.
type clients struct {
	gate   string
	rate   int
	end    chan struct{}
	wg     sync.WaitGroup
	upload []byte
	sum    string // checksum of upload
	plain  http.Client

	mu     sync.Mutex // protects the fields below
	tally  tally
	failed []string // examples of failures since take
	last   []string // examples of failures before it
}

func newClients(gate string, rate int) *clients {
	c := &clients{gate: gate, rate: rate, end: make(chan struct{}), upload: bytes.Repeat([]byte("0123456789abcdef"), 64<<10/16)}
	sum := sha256.Sum256(c.upload)
	c.sum = hex.EncodeToString(sum[:])
	// Each request has its own connection. On a kept one that turns out to be closed,
	// http.Transport would repeat the request.
	c.plain = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	c.wg.Go(c.run)
	return c
}

func (c *clients) stop() {
	close(c.end)
	c.wg.Wait()
}

func (c *clients) run() {
	ticker := time.NewTicker(time.Second / time.Duration(c.rate))
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-c.end:
			return
		case <-ticker.C:
		}
		c.wg.Go(func() { c.one(n) })
	}
}

// one sends the n-th request. Of a hundred, 60 are GET, 20 POST, 10 uploads, 5 event
// streams and 5 tunnels.
func (c *clients) one(n int) {
	began := time.Now()
	var err error
	what, by := "", ""
	switch n % 20 {
	case 0:
		what, err = "WebSocket", c.tunnel()
	case 10:
		what, err = "SSE", c.events()
	case 5, 15:
		what = "upload"
		by, err = c.echo("PUT", n, c.upload, c.sum)
	case 2, 7, 12, 17:
		body := fmt.Appendf(nil, "body %d", n)
		sum := sha256.Sum256(body)
		what = "POST"
		by, err = c.echo("POST", n, body, hex.EncodeToString(sum[:]))
	default:
		sum := sha256.Sum256(nil)
		what = "GET"
		by, err = c.echo("GET", n, nil, hex.EncodeToString(sum[:]))
	}
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.requests++
	switch {
	case err != nil:
		c.tally.failed++
		if len(c.failed) < 5 {
			c.failed = append(c.failed, what+": "+err.Error())
		}
	case by != "" && by != good.String() && took >= 10*usual: // otherwise the machine was slow
		c.tally.slow++
	}
}

// echo sends a request whose answer describes the received request, and returns which
// version answered.
func (c *clients) echo(method string, n int, body []byte, sum string) (by string, err error) {
	path := fmt.Sprintf("/%d", n)
	r, err := http.NewRequest(method, "http://"+c.gate+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := c.plain.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return "", err
	case res.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s, id %s", res.Status, res.Header.Get("X-Request-Id"))
	case string(text) != method+" "+path+" "+sum:
		return "", fmt.Errorf("another answer: %q", text)
	}
	return res.Header.Get(kindHeader), nil
}

func (c *clients) events() error {
	res, err := c.plain.Get("http://" + c.gate + "/events")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && strings.Count(string(text), "data: ") != eventsSent {
		err = fmt.Errorf("%s: %d of %d events", res.Status, strings.Count(string(text), "data: "), eventsSent)
	}
	return err
}

// tunnel switches the protocol and expects ten messages back.
func (c *clients) tunnel() error {
	conn, err := net.Dial("tcp", c.gate)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(res.Status)
	}
	for n := range eventsSent {
		message := fmt.Sprintf("message %d\n", n)
		if _, err := io.WriteString(conn, message); err != nil {
			return err
		}
		if got, err := r.ReadString('\n'); err != nil || got != message {
			return fmt.Errorf("message %d of %d: got %q, %v", n, eventsSent, got, err)
		}
		time.Sleep(eventEvery)
	}
	return nil
}

// settle waits until the requests in flight have ended.
func (c *clients) settle() { time.Sleep(eventsSent*eventEvery + 500*time.Millisecond) }

// take returns the clients' results since the last call.
func (c *clients) take() tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally
	c.tally, c.last, c.failed = tally{}, c.failed, nil
	return t
}

// failures returns examples of failures before take.
func (c *clients) failures() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
