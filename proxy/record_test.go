package proxy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

var update = flag.Bool("update", false, "write what the tests got to testdata")

// golden compares got with a file.
func golden(tb testing.TB, file, got string) {
	tb.Helper()
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if got != string(want) {
		tb.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// TestLog shows the lines of an ordinary and of a troubled request.
func TestLog(t *testing.T) {
	for _, f := range []struct {
		file string
		log  func(io.Writer) func(*proxy.Record)
	}{
		{"log.json", func(w io.Writer) func(*proxy.Record) { return proxy.Log(slog.New(slog.NewJSONHandler(w, nil))) }},
		{"log.json", func(w io.Writer) func(*proxy.Record) { return proxy.LogJSON(w, slog.LevelInfo) }},
		{"log.text", func(w io.Writer) func(*proxy.Record) { return proxy.Log(slog.New(slog.NewTextHandler(w, nil))) }},
	} {
		var out bytes.Buffer
		s := setup{upstreams: specs("nobody:80", "slow:80", "app:80")}
		s.pool.Retry = retries(3)
		s.pool.Retry.PerTry = time.Second
		s.pool.Retry.Statuses = []int{503}
		s.route.Name = "all"
		s.proxy.Trusted = prefixes("127.0.0.0/8")
		s.proxy.Observe = []func(*proxy.Record){f.log(&out)}
		bubble(t, s, func(w *world) {
			w.script("slow:80", waitsForClose)
			status := 200
			w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(status)
				io.WriteString(w, "hello")
			})
			ask := func(method, id string, body io.Reader) {
				r := w.request(method, "/path?secret=1", body)
				r.Header.Set("X-Request-Id", id)
				r.Header.Set("X-Forwarded-For", "192.0.2.1")
				r.Header.Set("User-Agent", "")
				w.do(r)
				w.record()
			}
			ask("PUT", "three-attempts", strings.NewReader("body"))
			status = 503
			ask("GET", "no-good-answer", nil)
			w.pool.Update(specs("app:80"))
			status = 200
			ask("GET", "plain", nil)
			w.pool.Update(nil)
			ask("GET", "nobody", nil)
		})
		golden(t, f.file, out.String())
	}
}

// A record below the logger's level is neither written nor rendered.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := proxy.Log(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	for why, logged := range map[reason.Reason]bool{
		reason.None: false, reason.ClientGone: false, reason.NoRoute: false, reason.RequestTimeout: false,
		reason.ConnectRefused: true, reason.UpstreamStatus: true, reason.ResponseTruncated: true, reason.Overloaded: true, reason.Internal: true,
	} {
		out.Reset()
		log(&proxy.Record{Reason: why, Status: why.Status()})
		check(t, why.String()+" is logged as a warning", out.Len() > 0, logged)
	}
}

// A record has a bounded number of attempts: the first and the latest.
func TestRecordOmits(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.pool.Retry = retries(30)
	s.pool.Retry.Statuses = []int{503}
	s.pool.Retry.Backoff, s.pool.Retry.MaxBackoff = time.Second, time.Second
	bubble(t, s, func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		w.get()
		rec := w.record()
		check(t, "listed", len(rec.Attempts), 16)
		check(t, "omitted", rec.Omitted, 14)
		check(t, "failed", rec.Failed(), 30)
		check(t, "first began after", rec.Attempts[0].After, 0)
		check(t, "last decision", rec.Attempts[15].Decision, reason.NoAttemptsLeft)
		for i := 1; i < 16; i++ {
			if rec.Attempts[i].After <= rec.Attempts[i-1].After {
				t.Errorf("attempt %d is out of order", i)
			}
		}
	})
}

// JSON lines are valid also with errors and paths that are not plain text.
func TestLogIsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	proxy.Log(slog.New(slog.NewJSONHandler(&out, nil)))(&proxy.Record{
		Path: "/\"\n\x00ü", Reason: reason.ConnectRefused, Err: io.ErrUnexpectedEOF, Held: time.Second, Omitted: 1, Pool: "p",
		Attempts: []proxy.Attempt{{Upstream: "a", Err: io.EOF, Reason: reason.ConnectRefused, Idle: time.Second}},
	})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	check(t, "path", line["path"], any("/\"\n\x00ü"))
	check(t, "attempts", len(line["attempts"].([]any)), 1)
}

// A later fact about an attempt, for example that the body of its answer broke off, is
// recorded with that attempt, also when the record is full.
func TestRecordOmitsAndNotesLater(t *testing.T) {
	t.Parallel()
	const all, kept = 20, 16
	for answered, want := range map[int]int{1: 0, 2: -1, 5: -1, 6: 1, 10: 5} {
		t.Run(fmt.Sprint(answered), func(t *testing.T) {
			t.Parallel()
			s := setup{upstreams: specs("app:80")}
			s.pool.Retry = retries(all)
			s.pool.Retry.Statuses = []int{503}
			s.pool.Retry.Backoff, s.pool.Retry.MaxBackoff = time.Second, time.Second
			bubble(t, s, func(w *world) {
				w.script("app:80", func(c *wire) {
					c.request()
					if c.n != answered {
						return
					}
					c.say("HTTP/1.1 503 Service Unavailable\nContent-Length: 10\n\n01234")
					time.Sleep(time.Minute)
				})
				w.get()
				rec := w.record()
				check(t, "listed", len(rec.Attempts), kept)
				check(t, "omitted", rec.Omitted, all-kept)
				check(t, "reason", rec.Reason, reason.ResponseTruncated)
				for i, a := range rec.Attempts {
					expected := reason.ClosedBeforeResponse
					if i == want {
						expected = reason.ResponseTruncated
					}
					check(t, fmt.Sprint("reason of attempt ", i), a.Reason, expected)
				}
			})
		})
	}
}
