//go:build !minimal

package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

// TestMemory ends requests with the largest values that clients can choose, while the
// receiver accepts no spans. An earlier version kept each whole header.
func TestMemory(t *testing.T) {
	const bound = queueSize * 4 << 10
	stuck := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer receiver.Close()
	tracer, err := New(Options{Endpoint: receiver.URL, Sample: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tracer.Start()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { tracer.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	defer close(stuck)
	long := strings.Repeat("v", 200)
	kept := heaptest.Kept(t, func() any {
		for n := range queueSize * 3 / 4 {
			parts := heaptest.Pinned("GET", fmt.Sprint("host", n, strings.Repeat("h", 1000)), fmt.Sprint("/", n, strings.Repeat("p", 5000)), fmt.Sprint("id", n),
				"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a="+long+",b="+long+",c="+long)
			r := &http.Request{Header: http.Header{"Traceparent": {parts[4]}, "Tracestate": {parts[5]}}}
			tracer.Begin(message.FromHTTP(r), n%2 == 0).End(&proxy.Record{
				Method: parts[0], Host: parts[1], Path: parts[2], ID: parts[3], Start: time.Unix(1e9, 0), Route: "all", Pool: "app", Status: 502,
				Reason: reason.ResponseMalformed, Attempts: []proxy.Attempt{{Upstream: "a:1", Reason: reason.ResponseMalformed, Err: errors.New(parts[2])}},
			})
		}
		return tracer
	})
	heaptest.Within(t, "spans", kept, bound)
}
