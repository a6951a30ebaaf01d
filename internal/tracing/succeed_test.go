//go:build !minimal

package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

// TestSucceed: requests run while one tracer takes over from another, again and
// again. Each request's span arrives once, at one of them.
func TestSucceed(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	var receivers []*receiver
	start := func() (*Tracer, func()) {
		rc := newReceiver(t)
		receivers = append(receivers, rc)
		tracer, err := New(Options{Endpoint: rc.URL, Sample: 1, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		tracer.Start()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { tracer.Run(ctx) })
		return tracer, func() { cancel(); wg.Wait() }
	}
	tracer, stop := start()
	var current atomic.Pointer[Tracer]
	current.Store(tracer)
	begin := func() proxy.Trace {
		return current.Load().Begin(message.FromHTTP(&http.Request{Header: http.Header{}}), false)
	}
	end := func(p proxy.Trace) {
		p.End(&proxy.Record{Method: "GET", Start: time.Unix(1e9, 0)})
		sent.Add(1)
	}
	long := begin() // lasts longer than any of them
	for range 5 {
		var wg sync.WaitGroup
		next, stopNext := start()
		for range 4 {
			wg.Go(func() {
				for range 100 {
					end(begin())
				}
			})
		}
		current.Store(next)
		tracer.Succeed(next)
		stop()
		wg.Wait()
		tracer, stop = next, stopNext
	}
	end(long)
	stop()
	got := 0
	for _, rc := range receivers {
		rc.mu.Lock()
		got += len(rc.spans)
		rc.mu.Unlock()
	}
	if int64(got) != sent.Load() {
		t.Errorf("%d spans came of %d", got, sent.Load())
	}
}
