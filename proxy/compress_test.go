package proxy_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

func compressing() *proxy.Compress {
	return &proxy.Compress{Encodings: []*proxy.Encoding{proxy.Zstd(), proxy.Gzip()}, Types: []string{"text/*", "application/json", "*+json"}, MinSize: 100}
}

// inflate returns a decompressed body.
func inflate(tb testing.TB, coding, body string) string {
	tb.Helper()
	var r io.Reader
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(body))
	case "zstd":
		r, err = zstd.NewReader(strings.NewReader(body), zstd.WithDecoderConcurrency(1))
	default:
		return body
	}
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Errorf("%s: %v", coding, err)
	}
	return string(b)
}

// A client gets its favourite among the encodings that it accepts. Answers that must not
// be compressed are left alone.
func TestCompress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("all work and no play makes jack a dull boy\n", 5000)
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Compress: compressing()}})
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			q, h := r.URL.Query(), rw.Header()
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Accept-Ranges", "bytes")
			for name := range q {
				if name != "body" && name != "status" {
					h.Set(name, q.Get(name))
				}
			}
			body := long
			if q.Has("body") {
				body = q.Get("body")
			}
			h.Set("Content-Length", fmt.Sprint(len(body)))
			if q.Has("chunked") {
				h.Del("Content-Length")
			}
			switch q.Get("status") {
			case "":
				if r.Header.Get("Range") != "" {
					http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(body))
					return
				}
			case "204":
				h.Del("Content-Length")
				rw.WriteHeader(204)
				return
			case "304":
				h.Del("Content-Length")
				rw.WriteHeader(304)
				return
			default:
				rw.WriteHeader(404)
			}
			io.WriteString(rw, body)
		})
		for _, c := range []struct {
			accept, query string
			coding        string
			vary          bool
		}{
			{"", "", "", true}, {"gzip", "", "gzip", true}, {"gzip, zstd", "", "zstd", true}, {"gzip;q=1, zstd;q=0.5", "", "gzip", true}, {"*", "", "zstd", true},
			{"zstd;q=0, *", "", "gzip", true}, {"gzip;q=0", "", "", true}, {"identity, gzip;q=0.5", "", "", true}, {"br", "", "", true}, {"GZIP", "", "gzip", true}, {"x-gzip", "", "gzip", true},
			{"gzip;q=2", "", "", true}, {"gzip;q=bad", "", "", true}, {";;,,gzip", "", "gzip", true},
			{"gzip", "chunked=1", "gzip", true}, {"gzip", "body=short", "", false}, {"gzip", "status=404", "gzip", true},
			{"gzip", "status=204", "", false}, {"gzip", "status=304", "", false},
			{"gzip", "content-encoding=br", "br", false}, {"gzip", "content-encoding=identity", "identity", false},
			{"gzip", "cache-control=max-age=1,+no-transform", "", false}, {"gzip", "content-type=image/png", "", false}, {"gzip", "content-type=application/problem%2Bjson", "gzip", true},
			{"gzip", "content-type=TEXT/PLAIN", "gzip", true}, {"gzip", "content-type=text/event-stream", "", false}, {"gzip", "content-type=application/grpc", "", false},
			{"gzip", "content-digest=sha-256=:x:", "", false}, {"gzip", "vary=accept-encoding", "gzip", true},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				r := w.request(method, "/?"+c.query, nil)
				if c.accept != "" {
					r.Header.Set("Accept-Encoding", c.accept)
				}
				got := w.do(r)
				what := fmt.Sprintf("%s: %s %q %s", front, method, c.accept, c.query)
				if got.err != nil {
					t.Errorf("%s: %v", what, got.err)
				}
				check(t, what+": coding", got.header.Get("Content-Encoding"), c.coding)
				check(t, what+": Vary", strings.Contains(strings.ToLower(strings.Join(got.header["Vary"], ",")), "accept-encoding"), c.vary)
				check(t, what+": Vary once", len(got.header["Vary"]) <= 1, true)
				if ours := c.coding == "gzip" || c.coding == "zstd"; ours {
					check(t, what+": length", got.header.Get("Content-Length"), "")
					check(t, what+": ranges", got.header.Get("Accept-Ranges"), "")
				}
				if method == "GET" && got.status != 204 && got.status != 304 && c.coding != "br" {
					want := long
					if strings.Contains(c.query, "body=") {
						want = strings.TrimPrefix(c.query[strings.Index(c.query, "body="):], "body=")
					}
					if inflate(t, c.coding, got.body) != want {
						t.Errorf("%s: another body: %d bytes", what, len(got.body))
					}
				}
			}
		}
	}
}

// A compressed answer is another representation: its entity tag becomes weak, and it
// offers no ranges, since they would be ranges of the uncompressed body.
func TestCompressTagsAndRanges(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("text ", 1000)
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Compress: compressing()}})
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Etag", `"v1"`)
			if r.URL.Path == "/weak" {
				rw.Header().Set("Etag", `W/"v1"`)
			}
			rw.Header().Set("Content-Type", "text/plain")
			http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(long))
		})
		ask := func(path string, fields ...string) answer {
			r := w.request("GET", path, nil)
			for i := 0; i < len(fields); i += 2 {
				r.Header.Set(fields[i], fields[i+1])
			}
			return w.do(r)
		}
		check(t, front+": tag", ask("/", "Accept-Encoding", "gzip").header.Get("Etag"), `W/"v1"`)
		check(t, front+": tag without", ask("/").header.Get("Etag"), `"v1"`)
		check(t, front+": weak tag", ask("/weak", "Accept-Encoding", "gzip").header.Get("Etag"), `W/"v1"`)
		got := ask("/", "Accept-Encoding", "gzip", "If-None-Match", `W/"v1"`)
		check(t, front+": revalidated", fmt.Sprint(got.status, got.header.Get("Etag"), got.header.Get("Vary")), `304W/"v1"Accept-Encoding`)
		check(t, front+": revalidated without", ask("/", "If-None-Match", `"v1"`).header.Get("Etag"), `"v1"`)
		got = ask("/", "Accept-Encoding", "gzip", "Range", "bytes=0-3")
		check(t, front+": range", fmt.Sprint(got.status, got.header.Get("Content-Encoding"), got.body), "206text")
	}
}

// Parts of a slow body are not held back, and an event stream is not compressed.
func TestCompressStreams(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		synctestBubble(t, func(t *testing.T) {
			w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Compress: compressing()}})
			w.inBubble = true
			w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				if r.URL.Path == "/known" {
					rw.Header().Set("Content-Length", fmt.Sprint(4*300))
				}
				for i := range 4 {
					if i > 0 {
						time.Sleep(time.Minute)
					}
					rw.Write(bytes.Repeat([]byte("x"), 300))
					rw.(http.Flusher).Flush()
				}
			})
			for _, path := range []string{"/", "/known"} {
				r := w.request("GET", path, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				began := time.Now()
				res, err := w.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				z, err := gzip.NewReader(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				part := make([]byte, 300)
				for i := range 4 {
					if _, err := io.ReadFull(z, part); err != nil {
						t.Fatalf("%s: %s: part %d: %v", front, path, i, err)
					}
					if late := time.Since(began) - time.Duration(i)*time.Minute; late > 10*time.Second {
						t.Errorf("%s: %s: part %d came %v late", front, path, i, late)
					}
				}
				if _, err := io.Copy(io.Discard, z); err != nil {
					t.Errorf("%s: %s: the end: %v", front, path, err)
				}
				res.Body.Close()
			}
		})
	}
}

// The client sees that a body has broken off, and the encoder is not lost.
func TestCompressCut(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Compress: compressing()}})
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/plain")
			if r.URL.Path == "/whole" {
				rw.Write(bytes.Repeat([]byte("x"), 1000))
				return
			}
			rw.Header().Set("Content-Length", "100000")
			rw.Write(make([]byte, 50000))
			rw.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		ask := func(path string) answer {
			r := w.request("GET", path, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			return w.do(r)
		}
		for range 300 { // more than there are encoders
			if got := ask("/cut"); got.err == nil {
				t.Fatalf("%s: a body that was cut is whole to the client", front)
			}
		}
		check(t, front+": the next", ask("/whole").header.Get("Content-Encoding"), "gzip")
	}
}

// Error pages replace the application's errors where the route says so, and keep the
// fields that a client needs.
func TestIntercept(t *testing.T) {
	t.Parallel()
	pages, err := (*proxy.Pages)(nil).WithFiles(map[string]string{"404.html": "<h1>{status} {title}</h1> {request_id}", "5xx.html": "down: {reason}", "4xx.json": `{"s":{status}}`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (*proxy.Pages)(nil).WithFiles(map[string]string{"index.html": ""}); err == nil {
		t.Error("a name that is none of a page is taken")
	}
	for _, front := range fronts {
		w := start(t, setup{front: front, upstreams: specs("app:80"), proxy: proxy.Options{Pages: pages}, route: proxy.Route{Intercept: []int{404, 410, 500, 502, 401}}})
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			var status int
			fmt.Sscanf(r.URL.Path, "/%d", &status)
			rw.Header().Set("Www-Authenticate", "Bearer")
			rw.Header().Set("X-Secret-Stack", "trace")
			rw.Header().Set("Content-Encoding", "br")
			rw.Header().Set("Set-Cookie", "a=1")
			rw.WriteHeader(status)
			io.WriteString(rw, "the application's own")
		})
		for _, c := range []struct {
			path, accept string
			want         string
		}{
			{"/404", "text/html", "<h1>404 Not Found</h1> "}, {"/404", "application/json", `{"s":404}`}, {"/404", "*/*", "404 Not Found\nThere is nothing at this address."},
			{"/500", "text/html", "down: none"}, {"/502", "text/html", "down: upstream_status"}, {"/410", "text/html", "<!doctype html>"}, {"/401", "application/json", `{"s":401}`},
			{"/403", "text/html", "the application's own"}, {"/200", "text/html", "the application's own"}, {"/503", "text/html", "the application's own"},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				r := w.request(method, c.path, nil)
				r.Header.Set("Accept", c.accept)
				got := w.do(r)
				what := front + ": " + method + " " + c.path + " " + c.accept
				check(t, what+": status", fmt.Sprint("/", got.status), c.path)
				if method == "GET" && !strings.HasPrefix(got.body, c.want) {
					t.Errorf("%s: got %q", what, got.body)
				}
				replaced := c.want != "the application's own"
				check(t, what+": its own fields", got.header.Get("X-Secret-Stack") == "", replaced)
				check(t, what+": challenge", got.header.Get("Www-Authenticate"), "Bearer")
				check(t, what+": cookie", got.header.Get("Set-Cookie"), "a=1")
				check(t, what+": coding", got.header.Get("Content-Encoding") == "", replaced)
			}
		}
		w2 := start(t, setup{front: front, proxy: proxy.Options{Pages: pages}})
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		r.RequestURI = ""
		r.Header.Set("Accept", "text/html")
		check(t, front+": an error of the proxy's own", w2.do(r).body, "down: "+reason.NoUpstream.String())
	}
}

// An error from the cache is intercepted like a new one. The page says that it depends on
// Accept if the application lets caches keep its error.
func TestInterceptKept(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		s := setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Intercept: []int{404}}}
		s.pool.Stale = proxy.Stale{MaxSize: 1 << 20, Hits: true, IfError: time.Hour}
		s.pool.Commit.Buffer = 64 << 10
		bubble(t, s, func(w *world) {
			var down bool
			w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Cache-Control", "max-age=60")
				rw.Header().Set("Access-Control-Allow-Origin", "*")
				rw.Header().Set("X-Stack", "trace")
				if rw.WriteHeader(404); down {
					panic(http.ErrAbortHandler)
				}
				io.WriteString(rw, "the application's own")
			})
			for _, c := range []struct{ how, status, age string }{
				{"new", "goodgate; fwd=uri-miss", ""}, {"kept", "goodgate; hit; ttl=60", "0"}, {"in place of an error", "goodgate; hit; ttl=-60; detail=stale-if-error", "120"},
			} {
				if down = c.age == "120"; down {
					time.Sleep(2 * time.Minute)
				}
				got := w.get()
				what := front + ": " + c.how
				check(t, what+": status", got.status, 404)
				check(t, what+": page", strings.HasPrefix(got.body, "404 Not Found\n"), true)
				check(t, what+": own field", got.header.Get("X-Stack"), "")
				check(t, what+": CORS", got.header.Get("Access-Control-Allow-Origin"), "*")
				check(t, what+": from", got.header.Get("Cache-Status"), c.status)
				check(t, what+": age", got.header.Get("Age"), c.age)
				check(t, what+": varies", got.header.Get("Vary"), "Accept")
			}
		})
	}
}
