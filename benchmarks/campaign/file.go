package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The file is the same on all backends, like any static file.
const (
	filePath  = "/file"
	fileSize  = 1 << 20
	fileCutAt = 300 << 10 // bytes of a response before the break
)

// file has no two equal words, so that no part can be confused with another.
var file = func() []byte {
	b := make([]byte, 0, fileSize)
	for i := range uint32(fileSize / 4) {
		b = binary.BigEndian.AppendUint32(b, i)
	}
	return b
}()

// serveFile answers with the file or with the requested ranges.
func serveFile(w http.ResponseWriter, r *http.Request, f fault) {
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	if f == cutFile {
		w = &cutter{w, fileCutAt}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
}

// cutter truncates a response.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])
	panic(http.ErrAbortHandler)
}

// download requests the file and compares the answer.
func (c *client) download(ctx context.Context) (failure string) {
	return c.on(ctx, func(conn *clientConn) (string, bool) {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: campaign\r\n\r\n", filePath); err != nil {
			return failedSend, false
		}
		res, err := http.ReadResponse(conn.in, &http.Request{Method: http.MethodGet})
		if err != nil {
			return failedHeader, false
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		switch {
		case err != nil:
			return failedBody, false
		case res.StatusCode != http.StatusOK:
			return fmt.Sprintf("status %d", res.StatusCode), !res.Close
		case !bytes.Equal(got, file):
			return failedForeign, false
		}
		return "", !res.Close
	})
}
