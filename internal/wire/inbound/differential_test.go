package inbound

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve runs a server until the test ends.
func serve(t testing.TB, o Options) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, o)
	return l.Addr()
}

// serveOn is serve on a listener, which the end of the test closes.
func serveOn(t testing.TB, l net.Listener, o Options) *Server {
	o.Base = t.Context()
	s := New(o)
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	t.Cleanup(func() {
		l.Close()
		s.Close()
		wg.Wait()
	})
	return s
}

// answer is a client's interpretation of a response.
type answer struct {
	Status   int
	Proto    string
	Header   http.Header
	Length   int64
	Encoding []string
	Close    bool
	Body     string
	Trailer  http.Header
	Failed   bool // the body
}

// converse sends pipelined requests, and returns the answers and whether the connection
// was closed after them.
func converse(t *testing.T, addr net.Addr, requests []string) (list []answer, closed bool) {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, strings.Join(requests, "")); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	for len(requests) > 0 {
		method, _, _ := strings.Cut(requests[0], " ")
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return append(list, answer{Body: "no answer"}), true
		}
		if res.StatusCode >= 200 {
			requests = requests[1:]
		}
		body, err := io.ReadAll(res.Body)
		if res.Header.Get("Date") == "" && res.StatusCode >= 200 {
			t.Errorf("an answer without a date: %v", res.Header)
		}
		res.Header.Del("Date")
		if err != nil {
			body = nil // how much of it came is not promised
		}
		if len(body) > 100 {
			body = fmt.Appendf(nil, "%d bytes, CRC %x", len(body), crc32.ChecksumIEEE(body))
		}
		list = append(list, answer{
			res.StatusCode, res.Proto, res.Header, res.ContentLength, res.TransferEncoding, res.Close, string(body), res.Trailer, err != nil,
		})
	}
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err = br.ReadByte()
	return list, err == io.EOF
}

// behaviours are handlers by path.
var behaviours = map[string]http.HandlerFunc{
	"/hello": func(w http.ResponseWriter, r *http.Request) { typed(w); io.WriteString(w, "hello") },
	"/empty": func(w http.ResponseWriter, r *http.Request) {},
	"/sized": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("Content-Length", "10000")
		io.WriteString(w, strings.Repeat("0123456789", 1000))
	},
	"/long": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		for range 1000 {
			io.WriteString(w, "0123456789")
		}
	},
	"/flushed": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		io.WriteString(w, "a")
		http.NewResponseController(w).Flush()
		io.WriteString(w, "b")
	},
	"/flushed-first": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		http.NewResponseController(w).Flush()
	},
	"/echo": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %q %v %q %q", r.ContentLength, b, err, r.TransferEncoding, r.Trailer)
	},
	"/unread":  func(w http.ResponseWriter, r *http.Request) { typed(w); io.WriteString(w, "not read") },
	"/nothing": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"/unchanged": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "7")
		w.Header().Set("Etag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	},
	"/close": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("Connection", "close")
		io.WriteString(w, "bye")
	},
	"/too-little": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "short")
	},
	"/too-much": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "hello")
		_, err := io.WriteString(w, " world")
		if err != http.ErrContentLength {
			panic(err)
		}
	},
	"/trailer": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("Trailer", "X-Sum, X-Late")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	},
	"/trailer-unannounced": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		io.WriteString(w, "body")
		w.Header().Set(http.TrailerPrefix+"X-Sum", "42")
	},
	"/early": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "late")
	},
	"/own-status": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(799) },
	"/split": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		w.Header().Set("X-Evil", "a\r\nSet-Cookie: b")
		w.Header()["X Evil"] = []string{"c"}
		w.Header()["X-Twice"] = []string{"one", " two "}
	},
	"/abort": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	"/abort-late": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		io.WriteString(w, strings.Repeat("0123456789", 1000))
		panic(http.ErrAbortHandler)
	},
	"/request": func(w http.ResponseWriter, r *http.Request) {
		typed(w)
		fmt.Fprintf(w, "%s %s %s %s %q %v", r.Method, r.RequestURI, r.URL, r.Host, r.Header, r.Close)
	},
}

// typed keeps net/http from guessing a type, which this package does not.
func typed(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain") }

func behave(w http.ResponseWriter, r *http.Request) { behaviours[r.URL.Path](w, r) }

// better are the intended differences from net/http: this server sends no informational
// response to HTTP/1.0 (RFC 9110, section 15.2), sends the length if it is known, and
// sends trailer fields that were not announced.
var better = []string{"HTTP/1.0 early", "HTTP/1.0 trailer", "GET /trailer-unannounced", "HEAD /abort-late", "HEAD /too-much"}

// TestLikeNetHTTP checks that clients cannot distinguish this server from net/http's.
func TestLikeNetHTTP(t *testing.T) {
	own := serve(t, Options{Handler: http.HandlerFunc(behave)})
	byHead := serve(t, Options{Serve: behaveByHead})
	standard := httptest.NewServer(http.HandlerFunc(behave))
	t.Cleanup(standard.Close)
	standard.Config.ErrorLog = nil

	cases := map[string][]string{
		"twice":                {"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"close asked for":      {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"HTTP/1.0":             {"GET /hello HTTP/1.0\r\n\r\n"},
		"HTTP/1.0 kept":        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /hello HTTP/1.0\r\n\r\n"},
		"HTTP/1.0 long":        {"GET /long HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
		"HTTP/1.0 trailer":     {"GET /trailer HTTP/1.0\r\n\r\n"},
		"HTTP/1.0 early":       {"GET /early HTTP/1.0\r\n\r\n"},
		"body":                 {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"body chunked":         {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"body with trailer":    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-No\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\nX-More: 43\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"body left over":       {"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"body left, chunked":   {"POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"},
		"no host but absolute": {"GET http://b/request HTTP/1.1\r\nHost: a\r\n\r\n"},
		"field names":          {"GET /request HTTP/1.1\r\nhOST: a\r\nx-lower: 1\r\nX-lower: 2\r\nx_odd: 3\r\nX: \t y \t\r\nEmpty:\r\n\r\n"},
		"bare LF":              {"GET /request HTTP/1.1\nHost: a\nX: y\n\n"},
		"same lengths":         {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi"},
		"large header":         {"GET /request HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 9000) + "\r\nY: z\r\n\r\n"},
	}
	for path := range behaviours {
		for _, method := range []string{"GET", "HEAD"} {
			cases[method+" "+path] = []string{method + " " + path + " HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"}
		}
	}
	for name, requests := range cases {
		if slices.Contains(better, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, wantClosed := converse(t, standard.Listener.Addr(), requests)
			for kind, addr := range map[string]net.Addr{"map": own, "head": byHead} {
				got, gotClosed := converse(t, addr, requests)
				if !reflect.DeepEqual(got, want) || gotClosed != wantClosed {
					t.Errorf("by a %s: got\n%+v, closed %v; net/http:\n%+v, closed %v", kind, got, gotClosed, want, wantClosed)
				}
			}
		})
	}
}
