package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/proxy"
)

// TestResets: immediately cancelled requests are counted, and end their connection if
// they are most of its traffic.
func TestResets(t *testing.T) {
	t.Parallel()
	began := make(chan bool, 1000)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case began <- true:
			default: // no check during a flood
			}
			<-r.Context().Done()
		}
	}))
	defer upstream.Close()
	m := metrics.New(metrics.Build{})
	accounted := make(chan bool, 100)
	g := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http2: {cleartext: true, max_streams: 10, max_resets: 20}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q], retry: {hedge: {budget: 0%%}}}}`, upstream.URL)),
		Options{Metrics: m, Observe: []func(*proxy.Record){func(*proxy.Record) {
			select {
			case accounted <- true:
			default:
			}
		}}})
	count := func(series string) int {
		rec := httptest.NewRecorder()
		m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		found := regexp.MustCompile(`(?m)^goodgate_client_` + regexp.QuoteMeta(series) + ` (\d+)`).FindStringSubmatch(rec.Body.String())
		if found == nil {
			return 0
		}
		n, _ := strconv.Atoi(found[1])
		return n
	}
	const (
		counted = `resets_total{listener="127.0.0.1:0"}`
		ended   = `http2_errors_total{listener="127.0.0.1:0",type="client_resets"}`
		calmed  = `http2_errors_total{listener="127.0.0.1:0",type="conn_ENHANCE_YOUR_CALM_too_many_early_resets"}`
	)
	open := func(h *hostile, i int) error {
		return h.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: h.header(), EndStream: true, EndHeaders: true})
	}

	t.Run("connection lost", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		for i := range 10 {
			open(h, i)
			<-began
		}
		h.conn.Close()
		for range 10 {
			<-accounted
		}
		if got := count(counted); got != 0 {
			t.Errorf("got %d resets, want none: the connection has ended", got)
		}
	})
	t.Run("one after the other", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		over := make(chan bool)
		go func() {
			h.end()
			close(over)
		}()
		n := 0
	all:
		for ; n < 100; n++ {
			if open(h, n) != nil {
				break
			}
			select {
			case <-began:
			case <-over:
				break all
			}
			h.WriteRSTStream(uint32(2*n+1), http2.ErrCodeCancel)
			<-accounted
		}
		<-over
		if got := count(counted); n < 20 || n > 30 || got < 20 || got > n {
			t.Errorf("closed after %d requests of which %d were counted, want a few more than max_resets", n, got)
		}
		if got := count(ended); got != 1 {
			t.Errorf("got %d connections ended, want 1", got)
		}
	})
	t.Run("flood", func(t *testing.T) {
		h := dialHostile(t, g.addrs[0])
		go h.end()
		h.flood(t, func(i int) error {
			return errors.Join(open(h, i), h.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel))
		}, 1<<22)
		if count(calmed)+count(ended) < 2 {
			t.Errorf("got %d connections calmed and %d ended, want one more", count(calmed), count(ended))
		}
	})
}

// TestResetsRule tests the rules for counting a reset, and for ending a connection.
func TestResetsRule(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	record := func(begins, ends int, why reason.Reason) *proxy.Record {
		return &proxy.Record{Start: at(begins), Duration: at(ends).Sub(at(begins)), Reason: why}
	}
	for name, tc := range map[string]struct {
		every, at, reset, took int // number of requests, and the times from and after which they are reset
		want                   int
		ends                   bool
	}{
		"all":                {1, 0, 100, 1, 98, true},
		"two of three":       {3, 1, 100, 1, 65, true},
		"one of four":        {4, 3, 100, 1, 24, false},
		"all, but after 2 s": {1, 0, 100, 2000, 0, false},
	} {
		s := &streams{of: &resets{max: 10}}
		got, end := 0, false
		for i := range tc.reset {
			why := reason.None
			if i%tc.every >= tc.at {
				why = reason.ClientGone
			}
			n, over := s.count(record(3000*i, 3000*i+tc.took, why))
			got += n
			if end && over {
				t.Errorf("%s: ended twice", name)
			}
			end = end || over
		}
		if got != tc.want || end != tc.ends {
			t.Errorf("%s: got %d resets, ended %t, want %d, %t", name, got, end, tc.want, tc.ends)
		}
	}
	s := &streams{of: &resets{}}
	for i := range 100 {
		if _, over := s.count(record(10*i, 10*i+1, reason.ClientGone)); over {
			t.Fatal("without a bound: ended")
		}
	}
}
