package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// files is an application on a real socket that serves one file. It cuts each answer
// after a number of bytes, given in order.
type files struct {
	etag    string // with its quotes; empty = none
	content []byte

	mu    sync.Mutex // protects the fields below
	cuts  []int
	asked []string // method and Range of every request
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	cut := -1
	if len(f.cuts) > 0 {
		cut, f.cuts = f.cuts[0], f.cuts[1:]
	}
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.Header.Get("Range")))
	f.mu.Unlock()
	if f.etag != "" {
		w.Header().Set("ETag", f.etag)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(&cutter{w, cut}, r, "", time.Time{}, bytes.NewReader(f.content))
}

func (f *files) requests() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, ", ")
}

// cutter ends the connection after left bytes. Negative = never.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.left < 0 || len(p) < c.left {
		if c.left > 0 {
			c.left -= len(p)
		}
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])
	http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// large is a file larger than any commit buffer.
func large() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 300<<10)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// resumeCase is one file on one or two upstreams.
type resumeCase struct {
	apps    []*files
	change  func(*setup)
	method  string
	header  http.Header
	want    string // status and length, or "aborted"
	record  string // decisions; a, b and c are the upstreams
	asked   string // of the last upstream
	savedBy string
}

func TestResume(t *testing.T) {
	t.Parallel()
	file := large()
	const whole = "200 307200"
	const byCommit = "a larger commit.buffer, if the response comes without pauses, or a strong ETag and Accept-Ranges: bytes"
	app := func(cuts ...int) *files { return &files{etag: `"v1"`, content: file, cuts: cuts} }
	with := func(f *files, etag string) *files { f.etag = etag; return f }
	for name, c := range map[string]resumeCase{
		"from another upstream": {apps: []*files{app(100_000), app()}, want: whole,
			record: "a:200:resumed b:206:answered", asked: "GET bytes=100000-307199"},
		"at the first byte": {apps: []*files{app(0), app()}, want: whole,
			record: "a:200:resumed b:206:answered", asked: "GET bytes=0-307199"},
		"at the last byte": {apps: []*files{app(len(file) - 1), app()}, want: whole,
			record: "a:200:resumed b:206:answered", asked: "GET bytes=307199-307199"},
		"from itself": {apps: []*files{app(100_000)}, want: whole,
			record: "a:200:resumed a:206:answered", asked: "GET, GET bytes=100000-307199"},
		"three times": {apps: []*files{app(100_000, 100_000), app(100_000)}, want: whole,
			record: "a:200:resumed b:206:resumed a:206:resumed b:206:answered", asked: "GET bytes=100000-307199, GET bytes=300000-307199"},
		"not four times": {apps: []*files{app(10, 10), app(10, 10)}, want: "aborted",
			record: "a:200:resumed b:206:resumed a:206:resumed b:206:no_attempts_left", savedBy: "more retry.attempts, or an upstream that works"},
		"a range": {apps: []*files{app(1000), app()}, header: http.Header{"Range": {"bytes=200000-"}}, want: "206 107200",
			record: "a:206:resumed b:206:answered", asked: "GET bytes=201000-307199"},
		"conditions are left out": {apps: []*files{app(1000), app()}, want: whole,
			header: http.Header{"If-None-Match": {`"v0"`}, "If-Modified-Since": {"Mon, 02 Jan 2006 15:04:05 GMT"}},
			record: "a:200:resumed b:206:answered"},
		"another version elsewhere": {apps: []*files{app(1000), with(app(), `"v2"`)}, want: whole,
			record: "a:200:resumed b:200:resumed a:206:answered"},
		"another version everywhere": {apps: []*files{with(app(1000), `"v1"`), with(app(), `"v2"`), with(app(), `"v3"`)}, want: "aborted",
			change: func(s *setup) { s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 1, 2 },
			record: "a:200:resumed b:200:resumed c:200:budget_spent", savedBy: "the same entity tag for the same bytes on every upstream"},
		"a weak tag": {apps: []*files{with(app(1000), `W/"v1"`), app()}, want: "aborted", record: "a:200:answered", savedBy: byCommit},
		"no tag":     {apps: []*files{with(app(1000), ""), app()}, want: "aborted", record: "a:200:answered", savedBy: byCommit},
		"POST": {apps: []*files{app(1000), app()}, method: "POST", want: "aborted", record: "a:200:answered",
			savedBy: "retry_safe on the route, if the application may run it twice"},
		"off": {apps: []*files{app(1000), app()}, change: func(s *setup) { s.pool.Commit.Resume = false }, want: "aborted",
			record: "a:200:answered", savedBy: byCommit},
		"no budget": {apps: []*files{app(1000), app()}, change: func(s *setup) { s.pool.Retry = proxy.Retry{Attempts: 3} }, want: "aborted",
			record: "a:200:budget_spent", savedBy: "a larger retry.budget"},
		"nothing left to connect with": {apps: []*files{app(100_000), app()}, change: dialsOnce(func() error { return syscall.EMFILE }), want: "aborted",
			record: "a:200:resumed b:overloaded:strained", savedBy: "more file descriptors (LimitNOFILE= in systemd, ulimit -n) or memory for goodgate"},
		"goodgate ends": {apps: []*files{app(100_000), app()}, change: endsAtSecondDial, want: "aborted",
			record: "a:200:resumed b:shutting_down:out_of_time"},
		"several spans": {apps: []*files{app(50_000), app()}, header: http.Header{"Range": {"bytes=0-99999,150000-299999"}}, want: "aborted",
			record: "a:206:answered", savedBy: byCommit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, file)
		})
	}
}

// dialsOnce makes every connection after the first fail.
func dialsOnce(fail func() error) func(*setup) {
	return func(s *setup) {
		var n atomic.Int32
		dial := s.pool.Dial
		s.pool.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if n.Add(1) > 1 {
				return nil, fail()
			}
			return dial(ctx, network, addr)
		}
	}
}

// endsAtSecondDial makes goodgate cancel its requests while the second connection is
// being made.
func endsAtSecondDial(s *setup) {
	ctx, end := context.WithCancelCause(context.Background())
	s.server = func(srv *http.Server) { srv.BaseContext = func(net.Listener) context.Context { return ctx } }
	dialsOnce(func() error {
		end(proxy.ErrShuttingDown)
		return context.Canceled
	})(s)
}

func (c resumeCase) run(t *testing.T, file []byte) {
	s := setup{}
	s.pool.Retry = retries(1)
	s.pool.Commit = proxy.Commit{Buffer: 4 << 10, Resume: true}
	s.pool.Dial = (&net.Dialer{}).DialContext
	var pairs []string
	for i, app := range c.apps {
		srv := httptest.NewUnstartedServer(app)
		srv.Config.ErrorLog = discardLog
		srv.Start()
		defer srv.Close()
		addr := srv.Listener.Addr().String()
		s.upstreams = append(s.upstreams, balancer.Spec{Addr: addr})
		pairs = append(pairs, addr, string(rune('a'+i)))
	}
	names := strings.NewReplacer(pairs...)
	if c.change != nil {
		c.change(&s)
	}
	w := start(t, s)
	if c.method == "" {
		c.method = "GET"
	}
	r := w.request(c.method, "/file", nil)
	maps.Copy(r.Header, c.header)
	got := w.do(r)
	rec := w.record()
	seen := fmt.Sprint(got.status, " ", len(got.body))
	if got.err != nil {
		seen = "aborted"
	}
	check(t, "answer", seen, c.want)
	if seen == "200 307200" && got.body != string(file) || seen == "206 107200" && got.body != string(file[200_000:]) {
		t.Error("the body is not what the file holds")
	}
	check(t, "record", names.Replace(decisions(rec)), c.record)
	check(t, "saved by", rec.SavedBy, c.savedBy)
	if c.want == "aborted" {
		check(t, "reason", rec.Reason, reason.ResponseTruncated)
		check(t, "absorbed", rec.Absorbed, reason.ByNothing)
	} else {
		check(t, "reason", rec.Reason, reason.None)
		check(t, "absorbed", rec.Absorbed, reason.ByResume)
		check(t, "hidden", rec.Hidden, reason.ResponseTruncated)
	}
	if c.asked != "" {
		check(t, "asked of the last", c.apps[len(c.apps)-1].requests(), c.asked)
	}
}
