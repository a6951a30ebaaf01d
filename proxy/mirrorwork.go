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

// MirrorLimits bound what a mirror may take.
type MirrorLimits struct {
	Requests  int     // at once; 0 = 16
	Memory    int64   // bytes that they hold; 0 = 16 MiB
	PerSecond float64 // 0 = no bound
}

// MirrorWork is what a mirror has under way, and what it has found. It is safe for
// concurrent use. Use NewMirrorWork, and Close it.
type MirrorWork struct {
	limits MirrorLimits
	pace   *rate.Limiter // nil = no bound
	seed   maphash.Seed
	ctx    context.Context
	cancel context.CancelFunc
	under  sync.WaitGroup

	mu      sync.Mutex // protects the fields below
	closed  bool
	running int
	held    int64
	report  MirrorReport
	main    time.Duration // sum of the latencies of those that were compared
	other   time.Duration
}

// Dropped is why a request was not mirrored that should have been.
type Dropped string

// Why requests are dropped.
const (
	DroppedRate   Dropped = "rate"   // too many in a second
	DroppedBusy   Dropped = "busy"   // too many at once
	DroppedMemory Dropped = "memory" // they would hold too much
	DroppedBody   Dropped = "body"   // its body is too large, or was not kept
)

// MirrorReport is what a mirror has found.
type MirrorReport struct {
	Sent      int             `json:"sent"` // that have ended
	Same      int             `json:"same"`
	Different int             `json:"different"`
	Failed    int             `json:"failed"`       // no answer from the other pool
	Uncertain int             `json:"uncompared"`   // of Same, those of which the bodies were too large to compare
	By        map[string]int  `json:"different_by"` // status, body, and the names of headers; one answer may differ in several
	Dropped   map[Dropped]int `json:"dropped"`
	MainMS    float64         `json:"main_ms"`   // mean time to the answer's header
	MirrorMS  float64         `json:"mirror_ms"` // the same of the other pool
	Running   int             `json:"running"`
	Held      int64           `json:"held_bytes"`
	Samples   []MirrorSample  `json:"samples"` // of what was different, the latest first
}

// MirrorSample is a request that the two pools answered differently.
type MirrorSample struct {
	Time   time.Time `json:"time"`
	ID     string    `json:"id"` // of the client's request, as in the log
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Says   string    `json:"says"` // in words
}

const (
	maxSamples     = 20
	maxSampleText  = 400 // bytes of Path and of Says
	defaultShadows = 16
	defaultHeld    = 16 << 20
)

// NewMirrorWork returns one that has nothing to do yet.
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

// Close ends what is under way and returns when it has ended. Nothing is mirrored
// after it.
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

// start sends a request on a goroutine of its own, unless a bound is in the way.
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

// ended compares.
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

// sample keeps a difference. Called with mu held.
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

// Report returns what has been found so far.
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

// ignore1xx passes no informational response on: there is no client.
func ignore1xx(int, textproto.MIMEHeader) error { return nil }
