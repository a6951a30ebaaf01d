package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
)

// upload sends a large POST, chunked or with a length, to a path that answers 413
// before it has read the body. It is a simple client that sends everything before it
// reads the answer, so a connection that breaks meanwhile is a failure.
func (c *client) upload(ctx context.Context, path string, size int, chunked bool) (failure string) {
	return c.on(ctx, func(conn *clientConn) (failure string, keep bool) {
		if err := conn.sendUpload(path, size, chunked); err != nil {
			return failedSend, false
		}
		res, err := http.ReadResponse(conn.in, &http.Request{Method: http.MethodPost})
		if err != nil {
			return failedHeader, false
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return failedBody, false
		}
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			failure = "status " + strconv.Itoa(res.StatusCode)
		}
		return failure, !res.Close
	})
}

func (c *clientConn) sendUpload(path string, size int, chunked bool) error {
	framing := "Content-Length: " + strconv.Itoa(size)
	if chunked {
		framing = "Transfer-Encoding: chunked"
	}
	_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: campaign\r\n%s\r\n\r\n", path, framing)
	if err != nil {
		return err
	}
	body := io.LimitReader(endless{}, int64(size))
	if !chunked {
		_, err := io.Copy(c.Conn, body)
		return err
	}
	w := httputil.NewChunkedWriter(c.Conn)
	_, err = io.Copy(w, body)
	err = errors.Join(err, w.Close())
	if err == nil {
		_, err = io.WriteString(c, "\r\n")
	}
	return err
}

// endless is an endless body.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("u"), len(p))), nil
}
