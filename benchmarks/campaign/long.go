package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// kind is the kind of a request.
type kind string

const (
	plain     kind = ""       // a small answer; with POST a small order
	rejected  kind = "reject" // an upload with the expected answer 413
	aFile     kind = "file"   // the file
	answered  kind = "wait"   // a slow answer: a report, a long poll, a queue
	events    kind = "events" // a stream of events (SSE)
	socket    kind = "socket" // a WebSocket with occasional messages
	delivered kind = "upload" // a slow upload
)

// messageEvery is the interval between events or messages.
const messageEvery = 100 * time.Millisecond

// longTarget returns the path of a slow request, and longPath parses it.
func longTarget(k kind, takes time.Duration) string { return "/" + string(k) + "/" + takes.String() }

func longPath(path string) (k kind, takes time.Duration, ok bool) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	takes, err := time.ParseDuration(rest)
	return kind(name), takes, err == nil
}

// serveLong answers a slow request.
func serveLong(w http.ResponseWriter, r *http.Request, k kind, takes time.Duration) {
	switch k {
	case events:
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range int(takes / messageEvery) {
			wait(r.Context(), messageEvery)
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
		}
	case socket:
		c, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Accept: "+socketAccept+"\r\n\r\n")
		io.Copy(c, in)
	default:
		wait(r.Context(), takes)
		io.WriteString(w, strings.Repeat("x", bodySize))
	}
}

// The handshake of RFC 6455 section 1.3, with the key of its example.
const (
	socketKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	socketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// follow reads a stream of events to its end.
func (c *client) follow(ctx context.Context, takes time.Duration, id string) (failure string) {
	return c.on(ctx, func(conn *clientConn) (string, bool) {
		res, failure := conn.get(longTarget(events, takes), id, "")
		if failure != "" {
			return failure, false
		}
		defer res.Body.Close()
		got := 0
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if lines.Text() == fmt.Sprint("data: ", got) {
				got++
			}
		}
		switch {
		case res.StatusCode != http.StatusOK:
			return fmt.Sprintf("status %d", res.StatusCode), !res.Close
		case lines.Err() != nil || got != int(takes/messageEvery):
			return failedBody, false
		}
		return "", !res.Close
	})
}

// converse opens a WebSocket and expects each of its messages back.
func (c *client) converse(ctx context.Context, takes time.Duration, id string) (failure string) {
	return c.on(ctx, func(conn *clientConn) (string, bool) {
		res, failure := conn.get(longTarget(socket, takes), id,
			"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+socketKey+"\r\n")
		if failure != "" {
			return failure, false
		}
		if res.StatusCode != http.StatusSwitchingProtocols {
			return fmt.Sprintf("status %d", res.StatusCode), false
		}
		for i := range int(takes / messageEvery) {
			wait(ctx, messageEvery)
			message := fmt.Sprintf("%d\n", i)
			_, err := io.WriteString(conn, message)
			got, err2 := conn.in.ReadString('\n')
			if errors.Join(err, err2) != nil || got != message {
				return failedBody, false
			}
		}
		return "", false
	})
}

// get sends a GET with additional header fields, each with its end of line, and reads
// the head of the answer.
func (c *clientConn) get(target, id, fields string) (res *http.Response, failure string) {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: campaign\r\n%s: %s\r\n%s\r\n", target, idHeader, id, fields)
	if err != nil {
		return nil, failedSend
	}
	res, err = http.ReadResponse(c.in, &http.Request{Method: http.MethodGet})
	if err != nil {
		return nil, failedHeader
	}
	return res, ""
}

// deliver sends a large POST evenly over its duration, and expects the answer to a
// small one.
func (c *client) deliver(ctx context.Context, takes time.Duration, id string) (failure string) {
	return c.on(ctx, func(conn *clientConn) (string, bool) {
		_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: campaign\r\n%s: %s\r\nContent-Length: %d\r\n\r\n",
			workPath, idHeader, id, deliveredSize)
		part := make([]byte, deliveredSize/deliveredParts)
		for range deliveredParts {
			if err == nil {
				wait(ctx, takes/deliveredParts)
				_, err = conn.Write(part)
			}
		}
		if err != nil {
			return failedSend, false
		}
		return conn.answer(http.MethodPost, c.want)
	})
}

// The size of such an upload, and the number of its parts.
const deliveredSize, deliveredParts = 64 << 20, 64
