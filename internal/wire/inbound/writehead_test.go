package inbound

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// headWriter sends the fields that a handler puts into the map as a head.
type headWriter struct {
	ResponseWriter
	begun bool
}

func (w *headWriter) WriteHeader(status int) {
	if status >= 200 && !w.begun {
		w.begun = true
		head, fields := new(header.Head), w.Header()
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			for _, v := range fields[name] {
				head.Add(strings.ToUpper(name), v)
			}
		}
		clear(fields) // fields set from now on are trailers
		w.WriteHead(status, "", head)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *headWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

func (w *headWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func behaveByHead(w ResponseWriter, r *message.Request) {
	behave(&headWriter{ResponseWriter: w}, r.HTTP())
}

// TestWriteHead checks that a head is sent unchanged, byte for byte.
func TestWriteHead(t *testing.T) {
	t.Parallel()
	const dated = "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
	type fields = [][2]string
	for name, c := range map[string]struct {
		request string // its beginning; empty = GET / HTTP/1.1
		status  int    // 0 = 200
		reason  string
		head    string
		added   fields // to the head
		header  fields
		body    string
		want    string
	}{
		"order and case":          {head: "x-b: 1\r\n" + dated + "X-A: 2\r\ncontent-LENGTH: 2\r\nx-B: 3\r\n", body: "hi", want: "200 OK\r\nx-b: 1\r\n" + dated + "X-A: 2\r\ncontent-LENGTH: 2\r\nx-B: 3\r\n\r\nhi"},
		"reason":                  {status: 404, reason: "Nothing Here", head: dated + "Content-Length: 0\r\n", want: "404 Nothing Here\r\n" + dated + "Content-Length: 0\r\n\r\n"},
		"unknown status":          {status: 799, head: dated + "Content-Length: 0\r\n", want: "799 status code 799\r\n" + dated + "Content-Length: 0\r\n\r\n"},
		"header behind it":        {head: dated + "Content-Length: 0\r\nX: 1\r\n", header: fields{{"X-Request-Id", "7"}}, want: "200 OK\r\n" + dated + "Content-Length: 0\r\nX: 1\r\nX-Request-Id: 7\r\n\r\n"},
		"length in the header":    {head: dated, header: fields{{"Content-Length", "2"}}, body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\n\r\nhi"},
		"length in both":          {head: "Content-Length: 2\r\n" + dated, header: fields{{"Content-Length", "9"}}, body: "hi", want: "200 OK\r\nContent-Length: 2\r\n" + dated + "\r\nhi"},
		"length twice":            {head: dated + "Content-Length: 2\r\nContent-Length: 3\r\n", body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\n\r\nhi"},
		"length with zeros":       {head: dated + "content-Length: 0002\r\n", body: "hi", want: "200 OK\r\n" + dated + "content-Length: 2\r\n\r\nhi"},
		"signed length":           {head: dated + "Content-Length: +2\r\n", body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\n\r\nhi"},
		"no length, short":        {head: dated, body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\n\r\nhi"},
		"no length, long":         {head: dated + "Transfer-Encoding: gzip\r\n", body: strings.Repeat("x", 3000), want: "200 OK\r\n" + dated + "Transfer-Encoding: chunked\r\n\r\nbb8\r\n" + strings.Repeat("x", 3000) + "\r\n0\r\n\r\n"},
		"length not told":         {head: dated + "transfer-encoding: chunked\r\n", body: "hi", want: "200 OK\r\n" + dated + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"},
		"length and coding":       {head: dated + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\n\r\nhi"},
		"HTTP/1.0, not told":      {request: "GET / HTTP/1.0\r\nConnection: keep-alive", head: dated + "Transfer-Encoding: chunked\r\n", body: "hi", want: "200 OK\r\n" + dated + "\r\nhi"},
		"HEAD, not told":          {request: "HEAD / HTTP/1.1", head: dated + "Transfer-Encoding: chunked\r\n", body: "hi", want: "200 OK\r\n" + dated + "\r\n"},
		"HTTP/1.0, long":          {request: "GET / HTTP/1.0\r\nConnection: keep-alive", head: dated, body: strings.Repeat("x", 3000), want: "200 OK\r\n" + dated + "\r\n" + strings.Repeat("x", 3000)},
		"HTTP/1.0, kept":          {request: "GET / HTTP/1.0\r\nConnection: keep-alive", head: dated + "Content-Length: 2\r\n", body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"},
		"close":                   {head: dated + "Connection: x, Close\r\nContent-Length: 2\r\n", body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\nConnection: close\r\n\r\nhi"},
		"keep-alive":              {head: dated + "Connection: keep-alive\r\nContent-Length: 2\r\n", body: "hi", want: "200 OK\r\n" + dated + "Content-Length: 2\r\n\r\nhi"},
		"HEAD":                    {request: "HEAD / HTTP/1.1", head: dated + "content-length: 99\r\n", want: "200 OK\r\n" + dated + "content-length: 99\r\n\r\n"},
		"304":                     {status: 304, head: dated + "Content-Length: 99\r\ncontent-type: a/b\r\nETag: x\r\n", want: "304 Not Modified\r\n" + dated + "ETag: x\r\n\r\n"},
		"204":                     {status: 204, head: dated + "Content-Length: 0\r\n", want: "204 No Content\r\n" + dated + "\r\n"},
		"trailer":                 {head: dated + "Content-Length: 2\r\ntrailer: x-sum\r\n", body: "hi", want: "200 OK\r\n" + dated + "trailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"},
		"what would end its line": {reason: "a\r\nX: y", head: dated, added: fields{{"X-A", "b\r\nX-B: c"}, {"X C", "d"}, {"", "e"}, {"Content-Length", "0\r\n"}}, want: "200 a  X: y\r\n" + dated + "X-A: b  X-B: c\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, Options{Serve: func(w ResponseWriter, r *message.Request) {
				head := new(header.Head)
				if err := head.ParseFields(c.head + "\r\n"); err != nil {
					t.Error(err)
				}
				for _, f := range c.added {
					head.Add(f[0], f[1])
				}
				for _, f := range c.header {
					w.Header()[f[0]] = []string{f[1]}
				}
				w.WriteHead(max(c.status, 200), c.reason, head)
				head.Reset() // it is not kept
				io.WriteString(w, c.body)
				if strings.Contains(c.head, "trailer") {
					w.Header().Set("X-Sum", "1")
				}
			}})
			nc, br := dial(t, addr)
			request := "GET / HTTP/1.1"
			if c.request != "" {
				request = c.request
			}
			say(t, nc, request+"\r\nHost: a\r\n\r\n")
			nc.CloseWrite()
			got, err := io.ReadAll(br)
			if _, after, _ := strings.Cut(string(got), " "); after != c.want || err != nil {
				t.Errorf("got  %q, %v\nwant %q", after, err, c.want)
			}
		})
	}
}

// TestDate checks that a response without a date gets one, also after a head.
func TestDate(t *testing.T) {
	t.Parallel()
	addr := serve(t, Options{Serve: func(w ResponseWriter, r *message.Request) { w.WriteHead(204, "", &header.Head{}) }})
	c, br := dial(t, addr)
	for range 2 {
		say(t, c, get)
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := http.ParseTime(res.Header.Get("Date")); err != nil || len(res.Header["Date"]) != 1 {
			t.Errorf("got %q, %v", res.Header["Date"], err)
		}
	}
}
