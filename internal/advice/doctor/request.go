package doctor

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	maxHeader = 1 << 20  // of a response that is read
	maxBody   = 64 << 10 // of a response that is read
)

// request is a request of the doctor. It is written by hand, so that every byte is as
// intended.
type request struct {
	method, path, host string
	header             map[string]string
}

func (e *examination) request() request {
	return request{method: cmp.Or(e.Method, http.MethodGet), path: cmp.Or(e.Path, "/"), host: e.host()}
}

func (e *examination) host() string {
	if network, _ := e.network(); network == "unix" {
		return cmp.Or(e.Host, "localhost")
	}
	return cmp.Or(e.Host, e.Addr)
}

// String describes the request without the query, which may contain a secret.
func (r request) String() string {
	path, _, _ := strings.Cut(r.path, "?")
	return r.method + " " + path
}

func (r request) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: goodgate-doctor\r\nAccept: */*\r\n", r.method, r.path, r.host)
	for name, value := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// answer is the result of a request.
type answer struct {
	request  request
	response *http.Response // nil without one; its body has been read
	body     []byte         // the beginning of the body
	header   int            // size of the response header, in bytes
	first    []byte         // the first bytes from the upstream, even if they are not HTTP
	took     time.Duration  // time to the response header
	err      error
	bodyErr  error
	conn     net.Conn // the idle connection; nil if it cannot be reused
	rest     *bufio.Reader
	idle     time.Time // begin of the connection's idle time
}

// ask sends one request on a new connection.
func (e *examination) ask(ctx context.Context, p place, r request) *answer {
	a := &answer{request: r}
	defer e.slow("waiting for the answer to %s", r)()
	conn, err := e.open(ctx, p)
	if err != nil {
		a.err = err
		return a
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn.SetDeadline(time.Now().Add(e.o.MaxWait))
	began := time.Now()
	if _, err := conn.Write(r.bytes()); err != nil {
		a.err = err // there may still be an answer
	}
	if !a.read(conn) {
		conn.Close()
	}
	a.took = cmp.Or(a.took, time.Since(began))
	return a
}

// read reads the response, and reports whether the connection is reusable.
func (a *answer) read(conn net.Conn) (keep bool) {
	began := time.Now()
	in := bufio.NewReaderSize(conn, 4096)
	first, err := in.Peek(5)
	a.first = bytes.Clone(first)
	if buffered, _ := in.Peek(min(in.Buffered(), 32)); len(buffered) > 5 {
		a.first = bytes.Clone(buffered)
	}
	if err != nil {
		a.err = cmp.Or(a.err, err)
		return false
	}
	a.err = nil
	if string(first) != "HTTP/" {
		return false
	}
	header, err := readHeader(in)
	if err == nil && bytes.HasPrefix(header, []byte("HTTP/1.1 100")) { // the final response follows
		header, err = readHeader(in)
	}
	a.took, a.header = time.Since(began), len(header)
	if err != nil {
		a.err = err
		return false
	}
	rest := bufio.NewReader(io.MultiReader(bytes.NewReader(header), in))
	a.response, a.err = http.ReadResponse(rest, &http.Request{Method: a.request.method})
	if a.err != nil {
		return false
	}
	a.body, a.bodyErr = io.ReadAll(io.LimitReader(a.response.Body, maxBody))
	if a.bodyErr != nil || a.response.Close || len(a.body) == maxBody {
		return false
	}
	a.conn, a.rest, a.idle = conn, rest, time.Now()
	return true
}

var errHeaderTooLarge = errors.New("the response header is larger than 1 MiB")

// readHeader reads to the end of the empty line.
func readHeader(in *bufio.Reader) ([]byte, error) {
	var header []byte
	for {
		line, err := in.ReadSlice('\n')
		header = append(header, line...)
		switch {
		case len(header) > maxHeader:
			return header, errHeaderTooLarge
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return header, err
		case bytes.HasSuffix(header, []byte("\r\n\r\n")), bytes.HasSuffix(header, []byte("\n\n")):
			return header, nil
		}
	}
}

func (a *answer) close() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}
