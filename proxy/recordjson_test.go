package proxy_test

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// bySlog returns slog's line for a record.
func bySlog(r *proxy.Record, level slog.Level) string {
	var out bytes.Buffer
	proxy.Log(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})))(r)
	return out.String()
}

func checkJSON(t *testing.T, r *proxy.Record) {
	t.Helper()
	var out bytes.Buffer
	proxy.LogJSON(&out, slog.LevelInfo)(r)
	check(t, "the line", out.String(), bySlog(r, slog.LevelInfo))
}

// FuzzLogJSON: the lines are slog's, byte for byte.
func FuzzLogJSON(f *testing.F) {
	for _, s := range []string{
		"", "/plain", "/\"quoted\"\\", "\x00\x01\b\t\n\f\r\x1f\x7f", "<&>'", "ü€\U0001f600", "\u2027\u2028\u2029\u202a", "\ufffd",
		"\xff", "a\xc3", "\xed\xa0\x80 surrogate", strings.Repeat("long\n", 5000),
	} {
		f.Add(s, int64(1_234_567), int64(9_000_000_000), 200, uint8(0), uint8(0))
		f.Add(s, int64(100), int64(0), 502, uint8(6), uint8(3))
	}
	f.Add("range", int64(1<<63-1), int64(1<<53+1), -1, uint8(255), uint8(255))
	f.Fuzz(func(t *testing.T, s string, took, began int64, status int, kind, attempts uint8) {
		r := &proxy.Record{
			Start: time.Unix(began%(1<<33), began%1e9).In(time.FixedZone("", int(kind)*60)), Duration: time.Duration(took),
			ID: s, Host: s, Path: s, Method: "GET", Route: s, Status: status, Sent: took, Received: -took,
		}
		if kind&1 != 0 {
			r.Pool, r.Upstream, r.Trace, r.Fallback, r.DryRun, r.SavedBy = s, s, s, s, s, s
		}
		if kind&2 != 0 {
			r.Held, r.Queued, r.Reason, r.Err = r.Duration, r.Duration/3, reason.ConnectRefused, errors.New(s)
		}
		if kind&4 != 0 {
			r.Absorbed, r.Hidden, r.Omitted = reason.ByRetry, reason.ClientGone, int(kind)
			r.Client = netip.AddrFrom4([4]byte{192, 0, 2, kind})
		}
		for i := range attempts % 20 {
			r.Attempts = append(r.Attempts, proxy.Attempt{
				Upstream: s, Took: r.Duration, Reused: i&1 != 0, Status: status, Acked: int64(i) - 1, Budget: int(i) - 2, Err: r.Err, Reason: r.Reason,
			})
		}
		if year := r.Start.Add(r.Duration).Year(); year < 0 || year > 9999 {
			return
		}
		checkJSON(t, r)
	})
}

// The line of a record without a time has no time.
func TestLogJSONWithoutTime(t *testing.T) {
	t.Parallel()
	checkJSON(t, &proxy.Record{})
}

func TestLogJSONLevels(t *testing.T) {
	t.Parallel()
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		for _, r := range []*proxy.Record{{Status: 200}, {Status: 502, Reason: reason.ConnectRefused}, {Status: 500, Reason: reason.Internal}} {
			var out bytes.Buffer
			proxy.LogJSON(&out, level)(r)
			check(t, level.String(), out.String(), bySlog(r, level))
		}
	}
}

// No part of a long line may appear in later ones.
func TestLogJSONReuses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := proxy.LogJSON(&out, slog.LevelInfo)
	for _, path := range []string{strings.Repeat("/long", 10_000), "/short", strings.Repeat("/a", 100), "/b"} {
		out.Reset()
		r := &proxy.Record{Path: path}
		log(r)
		check(t, "the line", out.String(), bySlog(r, slog.LevelInfo))
	}
}

// tally counts lines.
type tally struct {
	mu    sync.Mutex // protects the field below
	lines map[string]int
}

func (c *tally) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines[string(p)]++
	return len(p), nil
}

// Requests that end at the same time get separate lines.
func TestLogJSONConcurrently(t *testing.T) {
	t.Parallel()
	const goroutines, times = 8, 200
	got := tally{lines: map[string]int{}}
	log := proxy.LogJSON(&got, slog.LevelInfo)
	want := map[string]int{}
	var wg sync.WaitGroup
	for i := range goroutines {
		r := &proxy.Record{Path: "/path" + strings.Repeat("x", i*10), Status: 200}
		want[bySlog(r, slog.LevelInfo)] = times
		wg.Go(func() {
			for range times {
				log(r)
			}
		})
	}
	wg.Wait()
	if !maps.Equal(got.lines, want) {
		t.Errorf("got %v, want %v", got.lines, want)
	}
}
