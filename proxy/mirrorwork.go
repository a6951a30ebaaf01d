package proxy

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MirrorLimits bound the resources of a mirror.
type MirrorLimits struct {
	Requests  int     // requests in flight; 0 = 16
	Memory    int64   // bytes that requests in flight hold; 0 = 16 MiB
	PerSecond float64 // 0 = no limit
}

// MirrorWork runs a mirror's requests and keeps its findings. It is safe for concurrent
// use. Create it with NewMirrorWork, and Close it.
type MirrorWork struct {
	limits MirrorLimits
	pace   *rate.Limiter // nil = no limit
	seed   maphash.Seed
	ctx    context.Context
	cancel context.CancelFunc
	under  sync.WaitGroup

	mu      sync.Mutex // protects the fields below
	closed  bool
	running int
	held    int64
	report  MirrorReport
	main    time.Duration // sum of the latencies of the compared requests
	other   time.Duration
}

// Dropped is the reason why an eligible request was not mirrored.
type Dropped string

// The reasons.
const (
	DroppedRate   Dropped = "rate"   // more requests in a second than MirrorLimits.PerSecond
	DroppedBusy   Dropped = "busy"   // too many mirrored requests in flight
	DroppedMemory Dropped = "memory" // the requests in flight hold too much memory
	DroppedBody   Dropped = "body"   // the body is too large, or was not kept
)

// MirrorReport is what a mirror has found.
type MirrorReport struct {
	Sent      int             `json:"sent"` // mirrored requests that have ended
	Same      int             `json:"same"`
	Different int             `json:"different"`
	Failed    int             `json:"failed"`       // the other pool gave no answer
	Uncertain int             `json:"uncompared"`   // the part of Same whose bodies were too large to compare
	By        map[string]int  `json:"different_by"` // by status, body and names of headers; one answer may differ in several
	Dropped   map[Dropped]int `json:"dropped"`
	MainMS    float64         `json:"main_ms"`   // mean time to the response header
	MirrorMS  float64         `json:"mirror_ms"` // the same for the other pool
	Running   int             `json:"running"`
	Held      int64           `json:"held_bytes"`
	Samples   []MirrorSample  `json:"samples"` // of different answers, the latest first
}

// MirrorSample is a request that the two pools answered differently.
type MirrorSample struct {
	Time   time.Time `json:"time"`
	ID     string    `json:"id"` // of the client's request, as in the log
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Says   string    `json:"says"` // the difference in words
}

const (
	maxSamples     = 20
	maxSampleText  = 400 // of Path and of Says, in bytes
	defaultShadows = 16
	defaultHeld    = 16 << 20
)

// NewMirrorWork returns a MirrorWork without requests.
func NewMirrorWork(l MirrorLimits) *MirrorWork {
	if l.Requests == 0 {
		l.Requests = defaultShadows
	}
	if l.Memory == 0 {
		l.Memory = defaultHeld
	}
	w := &MirrorWork{limits: l, seed: maphash.MakeSeed(), report: MirrorReport{By: map[string]int{}, Dropped: map[Dropped]int{}}}
	if l.PerSecond > 0 {
		w.pace = rate.NewLimiter(rate.Limit(l.PerSecond), max(int(l.PerSecond), 1))
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Close cancels the requests in flight and waits for their end. Later requests are not
// mirrored.
func (w *MirrorWork) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.under.Wait()
}

func (w *MirrorWork) drop(why Dropped) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Dropped[why]++
}

// start sends a request on its own goroutine, unless a limit forbids it.
func (w *MirrorWork) start(s *shadow, buffers *collectPool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return
	case w.running >= w.limits.Requests:
		w.report.Dropped[DroppedBusy]++
		return
	case w.held+s.size > w.limits.Memory:
		w.report.Dropped[DroppedMemory]++
		return
	case w.pace != nil && !w.pace.Allow():
		w.report.Dropped[DroppedRate]++
		return
	}
	w.running++
	w.held += s.size
	w.under.Go(func() {
		ctx, cancel := context.WithTimeoutCause(w.ctx, s.mirror.timeout(), errDeadline)
		defer cancel()
		s.out = s.out.WithContext(ctx)
		got, failed := s.deliver(w, buffers)
		w.ended(s, got, failed)
	})
}

// ended compares the answers of a mirrored request and records the result.
func (w *MirrorWork) ended(s *shadow, got shown, failed *Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.held -= s.size
	if w.ctx.Err() != nil {
		return
	}
	w.report.Sent++
	if failed != nil {
		w.report.Failed++
		w.sample(s, "no answer: "+failed.Error())
		return
	}
	w.main += s.want.Latency
	w.other += got.Latency
	differ, says := s.mirror.differ(&s.want, &got)
	for _, what := range differ {
		w.report.By[what]++
	}
	switch {
	case len(differ) > 0:
		w.report.Different++
		w.sample(s, says)
		return
	case s.want.Length < 0 || got.Length < 0:
		w.report.Uncertain++
	}
	w.report.Same++
}

// sample records a difference. mu must be held.
func (w *MirrorWork) sample(s *shadow, says string) {
	cut := func(text string) string { return strings.Clone(text[:min(len(text), maxSampleText)]) }
	r := &s.record
	list := append([]MirrorSample{{r.Start, strings.Clone(r.ID), strings.Clone(r.Method), cut(r.Path), cut(says)}}, w.report.Samples...)
	w.report.Samples = list[:min(len(list), maxSamples)]
}

// differ compares two answers.
func (m *Mirror) differ(want, got *shown) (what []string, says string) {
	var words []string
	if want.Status != got.Status {
		what = append(what, "status")
		words = append(words, fmt.Sprintf("status %d, here %d", want.Status, got.Status))
	}
	for i, name := range m.Headers {
		if want.Headers[i] != got.Headers[i] {
			what = append(what, name)
			words = append(words, fmt.Sprintf("%s %q, here %q", name, want.Headers[i], got.Headers[i]))
		}
	}
	if want.Length >= 0 && got.Length >= 0 && (want.Length != got.Length || want.sum != got.sum) {
		what = append(what, "body")
		words = append(words, fmt.Sprintf("body of %d bytes, here another of %d", want.Length, got.Length))
	}
	return what, strings.Join(words, "; ")
}

// Report returns the findings so far.
func (w *MirrorWork) Report() MirrorReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.report
	r.Running, r.Held = w.running, w.held
	r.By, r.Dropped, r.Samples = map[string]int{}, map[Dropped]int{}, append([]MirrorSample{}, w.report.Samples...)
	maps.Copy(r.By, w.report.By)
	maps.Copy(r.Dropped, w.report.Dropped)
	if n := time.Duration(r.Sent - r.Failed); n > 0 {
		r.MainMS, r.MirrorMS = milliseconds(w.main/n), milliseconds(w.other/n)
	}
	return r
}

// ignore1xx drops informational responses, since there is no client.
func ignore1xx(int, textproto.MIMEHeader) error { return nil }
