package demo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/charmbracelet/x/ansi"

	"github.com/goodgate/goodgate/proxy"
)

func exampleFrame() frame {
	f := frame{
		addr: "127.0.0.1:65535", rate: 5000, elapsed: 61 * time.Minute, waiting: 1234,
		total: Summary{Requests: 123456789, UpstreamFailures: 98765, Held: 4321, Posts: 54321},
	}
	for fault := range numFaults {
		if fault < backendCount {
			f.rows = append(f.rows, row{"backend 1", "127.0.0.1:31999", fault, "breaker half-open", upstreamCount{1234567, 12345}})
		}
	}
	for i := range history {
		f.past = append(f.past, second{Requests: 5000, OK: 4999, UpstreamFailures: i, Failed: i / 30, P50: 99 * time.Millisecond, P99: 2 * time.Second})
	}
	return f
}

func TestViewFitsIntoATerminal(t *testing.T) {
	t.Parallel()
	for _, step := range append(Script(), Step{}) {
		f := exampleFrame()
		if step.Text != "" {
			f.step = &step
		}
		got := theme{}.render(f, 200, 24)
		for line := range strings.Lines(got) {
			if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > 80 && !strings.Contains(line, step.Text) {
				t.Errorf("line of %d cells: %q", w, line)
			}
		}
		got = theme{}.render(f, 80, 24)
		lines := strings.Split(got, "\n")
		if len(lines) > 24 || !slices.Contains(lines, "Ctrl-C ends") {
			t.Errorf("got %d lines, want at most 24 with the last one:\n%s", len(lines), got)
		}
		if n := len(explain(f, 80)); n != 2 {
			t.Errorf("%q takes %d lines of 80 cells, want 2", step.Text, n)
		}
		if coloured := ansi.Strip(colours().render(f, 80, 24)); coloured != got {
			t.Errorf("got with colours:\n%s\nwithout:\n%s", coloured, got)
		}
	}
}

func TestViewShowsTheFault(t *testing.T) {
	t.Parallel()
	f := exampleFrame()
	f.step = &Script()[0]
	got := theme{}.render(f, 80, 24)
	for _, want := range []string{"61:00", "curl http://127.0.0.1:65535/", Refuse.String(), "breaker half-open", "1,234,567", "98,765 upstream failures, 0 reached a client", "1,234 waiting", "Backend 1 refuses", "█"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

func TestViewOnTinyTerminals(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{1, 1}, {20, 5}, {79, 23}} {
		got := strings.Split(theme{}.render(exampleFrame(), size[0], size[1]), "\n")
		if len(got) > size[1] {
			t.Errorf("%v: got %d lines", size, len(got))
		}
		for _, line := range got {
			if w := ansi.StringWidth(line); w > size[0] {
				t.Errorf("%v: line of %d cells: %q", size, w, line)
			}
		}
	}
}

func TestSpark(t *testing.T) {
	t.Parallel()
	if got, want := strings.TrimLeft(spark([]int{0, 1, 4, 8, 100}, 8), " "), ".▁▄██"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := spark(nil, 0); got != strings.Repeat(" ", history) {
		t.Errorf("got %q without values", got)
	}
}

func TestSummaryArithmetic(t *testing.T) {
	t.Parallel()
	s := newStats()
	attempt := func(why reason.Reason, d reason.Decision) proxy.Attempt {
		return proxy.Attempt{Upstream: "a", Reason: why, Decision: d}
	}
	for range 4 {
		s.sent(false)
	}
	s.sent(true)
	s.observe(&proxy.Record{Path: "/load/1", Method: "GET", Attempts: []proxy.Attempt{attempt(reason.ConnectRefused, reason.Retried), attempt(reason.UpstreamStatus, reason.Retried), attempt(reason.None, reason.Answered)}})
	s.observe(&proxy.Record{Path: "/load/2", Method: "POST", Reason: reason.ClosedBeforeResponse, Attempts: []proxy.Attempt{attempt(reason.ClosedBeforeResponse, reason.NotSafe)}})
	s.observe(&proxy.Record{Path: "/load/3", Method: "GET", Held: time.Second, Attempts: []proxy.Attempt{attempt(reason.None, reason.Answered)}})
	s.observe(&proxy.Record{Path: "/", Attempts: []proxy.Attempt{attempt(reason.None, reason.Answered)}})
	s.answered(200, time.Millisecond)
	s.answered(502, 2*time.Millisecond)
	s.answered(200, 3*time.Millisecond)
	s.answered(0, 4*time.Millisecond)
	s.abandoned()
	if got, want := s.roll(), (second{Requests: 5, OK: 2, Failed: 2, UpstreamFailures: 3, P50: 2 * time.Millisecond, P99: 4 * time.Millisecond}); got != want {
		t.Errorf("got second %+v, want %+v", got, want)
	}
	if got, want := s.perUpstream()["a"], (upstreamCount{Served: 3, Failed: 3}); got != want {
		t.Errorf("got upstream %+v, want %+v", got, want)
	}
	want := `5 requests, 3 upstream failures, 2 reached a client.
  1 request succeeded although an attempt had failed.
  1 waited for an upstream instead of failing, the longest for 1s.
  0 POSTs were executed, 0 of them twice.
  1 client got no whole answer.
  1 client got status 502.
  1 × POST: closed_before_response, could not be hidden (a POST may have been executed)
  1 request was sent more than 100ms late.
  1 had no answer yet when the demo ended.
  1 more request was not the demo's own.
`
	if got := s.summary().String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCountHasCommas(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1002003: "1,002,003"} {
		if got := count(n); got != want {
			t.Errorf("count(%d): got %q, want %q", n, got, want)
		}
	}
}
