package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	for _, tc := range []struct {
		name string
		pace Pace
		n    int
		want time.Duration
	}{
		{"fixed, first", Fixed(10), 0, 0},
		{"fixed", Fixed(10), 25, 2500 * time.Millisecond},
		{"ramp, first", Ramp{10, 30, 10 * time.Second}, 0, 0},
		{"ramp, half the time", Ramp{10, 30, 10 * time.Second}, 75, 5 * time.Second}, // 5 s at a mean of 15
		{"ramp, its end", Ramp{10, 30, 10 * time.Second}, 200, 10 * time.Second},
		{"ramp, after", Ramp{10, 30, 10 * time.Second}, 230, 11 * time.Second},
		{"ramp from nothing", Ramp{0, 20, 10 * time.Second}, 25, 5 * time.Second},
		{"ramp down", Ramp{20, 0, 10 * time.Second}, 75, 5 * time.Second},
		{"level ramp", Ramp{10, 10, 10 * time.Second}, 20, 2 * time.Second},
	} {
		if got := tc.pace.At(tc.n); math.Abs((got - tc.want).Seconds()) > 1e-6 {
			t.Errorf("%s: request %d is due after %v, want %v", tc.name, tc.n, got, tc.want)
		}
	}
}

func run(t *testing.T, p Plan) *Result {
	t.Helper()
	r, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunCounts(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch i := n.Add(1); {
		case r.Method != http.MethodPost || string(body) != "hello" || r.Header.Get("X-A") != "b":
			w.WriteHeader(http.StatusTeapot)
		case i%10 == 0:
			w.WriteHeader(http.StatusBadGateway)
		default:
			io.WriteString(w, "four")
		}
	}))
	defer s.Close()
	r := run(t, Plan{Target: Target{URL: s.URL, Body: []byte("hello"), Header: http.Header{"X-A": {"b"}}}, Pace: Fixed(200), For: time.Second})
	if r.Requests != 200 || int(n.Load()) != 200 || r.Failed != 20 || r.Bytes != 180*4 {
		t.Errorf("got %d requests, %d at the server, %d failed, %d bytes; want 200, 200, 20, 720", r.Requests, n.Load(), r.Failed, r.Bytes)
	}
	if got, want := fmt.Sprint(r.Statuses, r.Failures), "map[200:180 502:20] map[Bad Gateway:20]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestStallIsMeasured checks the promise of an open loop: during a stall of the server
// requests keep becoming due, and their wait counts. A closed loop would see one slow
// request.
func TestStallIsMeasured(t *testing.T) {
	var stalled atomic.Bool
	begin := time.Now()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if since := time.Since(begin); since > 500*time.Millisecond && since < time.Second {
			stalled.Store(true)
			time.Sleep(time.Second - since)
		}
	}))
	defer s.Close()
	r := run(t, Plan{Target: Target{URL: s.URL}, Pace: Fixed(100), For: 2 * time.Second, Max: 4})
	if !stalled.Load() {
		t.Fatal("the server did not stall")
	}
	if r.Requests != 200 {
		t.Errorf("%d requests were sent, want 200", r.Requests)
	}
	if r.Latency.P90 < 100 { // about 50 of 200 were due during the stall
		t.Errorf("p90 is %.1f ms: the stall of 500 ms was not counted for those that were due in it", r.Latency.P90)
	}
}

// TestNothingIsSentTwice has a server that reads requests and then closes.
func TestNothingIsSentTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var seen atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for i := range 2 {
					if _, err := c.Read(buf); err != nil {
						return
					}
					seen.Add(1)
					if i == 0 {
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
				}
			}()
		}
	}()
	r := run(t, Plan{Target: Target{URL: "http://" + l.Addr().String()}, Pace: Fixed(100), For: time.Second})
	if int(seen.Load()) > r.Requests || r.Failed == 0 {
		t.Errorf("%d requests were due, the server saw %d, %d failed", r.Requests, seen.Load(), r.Failed)
	}
}

func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	r := run(t, Plan{Target: Target{URL: s.URL, HTTP2: true, Insecure: true}, Pace: Fixed(100), For: 200 * time.Millisecond})
	if r.Failed != 0 || r.Bytes != int64(len("HTTP/2.0"))*20 {
		t.Errorf("%d of %d failed %v, %d bytes", r.Failed, r.Requests, r.Failures, r.Bytes)
	}
}

func TestCancelled(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(ctx, Plan{Target: Target{URL: s.URL}, Pace: Fixed(10), For: time.Hour})
	if err != nil || r.Requests != 0 {
		t.Errorf("got %v and %v", r, err)
	}
}

func TestThresholds(t *testing.T) {
	r := &Result{Requests: 1000, Failed: 1, Took: 10, Latency: Latency{P99: 50, Max: 80}}
	f := func(text, want string) {
		t.Helper()
		th, err := ParseThreshold(text)
		if err == nil {
			err = th.Check(r)
		}
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	f("p99<51ms", "<nil>")
	f("p99<50ms", "--fail-if-not p99<50ms: measured 50.00ms")
	f("max < 1s", "<nil>")
	f("failed<0.2%", "<nil>")
	f("failed<0.1%", "--fail-if-not failed<0.1%: measured 0.100%")
	f("rate>99", "<nil>")
	f("rate>100", "--fail-if-not rate>100: measured 99.9")
	r.Unanswered = 1
	f("p99.9<1s", "<nil>")
	f("max<1s", "--fail-if-not max<1s: 0.100% of the requests got no answer")
	r.Unanswered = 11
	f("p99<1s", "--fail-if-not p99<1s: 1.100% of the requests got no answer")
	f("p90<1s", "<nil>")
	f("p98<1s", `--fail-if-not "p98<1s": "p98" is not p50, p90, p99, p99.9, max, mean, failed or rate`)
	f("p99<50", `--fail-if-not "p99<50": "50" is not a duration such as 50ms`)
	f("p99=5ms", `--fail-if-not "p99=5ms": expected a bound such as p99<50ms, failed<0.1% or rate>1000`)
}

// TestKnee searches the highest good rate of a server with a known capacity.
func TestKnee(t *testing.T) {
	const room = 220
	var tried []float64
	k := Knee{From: 25, Step: time.Second, P99: 60 * time.Millisecond, Progress: func(s Step) { tried = append(tried, s.Rate) }}
	k.run = func(_ context.Context, p Plan) (*Result, error) {
		r := &Result{Requests: 1}
		if p.Pace.At(room+1) < time.Second {
			r.Latency.P99 = 1000
		}
		return r, nil
	}
	best, steps, err := k.Find(t.Context())
	if err != nil || best == nil {
		t.Fatalf("got %v, %v", best, err)
	}
	if got, want := fmt.Sprint(tried), "[25 50 100 200 400 300 250 225 212.5 218.75]"; got != want {
		t.Errorf("tried %s, want %s", got, want)
	}
	if last := steps[len(steps)-1]; best != last.Result || !last.Good {
		t.Errorf("the best is not that of the last rate served well: %+v", last)
	}
	tried = nil
	k.run = func(context.Context, Plan) (*Result, error) {
		return &Result{Requests: 25, Failed: 25, Unanswered: 25, Failures: map[string]int{"refused": 25}}, nil
	}
	if best, steps, err := k.Find(t.Context()); err != nil || best != nil || len(tried) != 1 || steps[0].Hopeless() == nil {
		t.Errorf("a dead target: got %v, %v after the rates %v", best, err, tried)
	}
	k.run = func(context.Context, Plan) (*Result, error) { return &Result{}, nil }
	if best, _, err := k.Find(t.Context()); err != nil || best != nil {
		t.Errorf("a target that answers nothing: got %v, %v", best, err)
	}
}

func TestCompareAndReport(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	r := run(t, Plan{Target: Target{URL: s.URL}, Pace: Fixed(50), For: 200 * time.Millisecond})
	file := filepath.Join(t.TempDir(), "r.json")
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	back, err := Read(file)
	if err != nil || back.Requests != 10 || back.Latency != r.Latency {
		t.Errorf("read %+v, %v", back, err)
	}
	var text, page bytes.Buffer
	if err := Compare(&text, r, back); err != nil || !strings.Contains(text.String(), "p99 ms") {
		t.Errorf("got %q, %v", &text, err)
	}
	if err := HTML(&page, "a <title>", []*Result{r, back}); err != nil {
		t.Fatal(err)
	}
	if got := page.String(); strings.Count(got, "<svg") != 3 || strings.Contains(got, "<title>a <title>") {
		t.Errorf("the page has %d plots", strings.Count(got, "<svg"))
	}
}

func FuzzParseThreshold(f *testing.F) {
	for _, s := range []string{"p99<50ms", "failed<0.1%", "rate>1", "<", "p99.9>1h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if th, err := ParseThreshold(s); err == nil {
			th.Check(&Result{})
		}
	})
}

// An endless answer fails after the timeout, and does not prevent the end of the run.
func TestAnswerWithoutEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for tick := time.Tick(10 * time.Millisecond); ; {
			if _, err := io.WriteString(w, "x"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick:
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer s.Close()
	r := run(t, Plan{Target: Target{URL: s.URL, Timeout: time.Second}, Pace: Fixed(100), For: 50 * time.Millisecond})
	if r.Requests == 0 || r.Failures[errLate.Error()] != r.Requests {
		t.Errorf("got %d requests and the failures %v", r.Requests, r.Failures)
	}
}
