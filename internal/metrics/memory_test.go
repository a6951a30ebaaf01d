package metrics

import (
	"fmt"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
	"github.com/goodgate/goodgate/proxy"
)

// TestMemory counts requests whose methods are parts of large headers. The first
// of each series was kept whole, for ever.
func TestMemory(t *testing.T) {
	const routes = 100
	methods := []string{"GET", "POST", "PUT", "DELETE", "BREW"}
	kept := heaptest.Kept(t, func() any {
		m := New(Build{})
		for n := range routes {
			for _, method := range methods {
				parts := heaptest.Pinned(method, "/")
				m.Observe(&proxy.Record{Method: parts[0], Path: parts[1], Route: fmt.Sprint("route", n), Pool: "app", Status: 200})
			}
		}
		return m
	})
	heaptest.Within(t, "series", kept, int64(routes*len(methods)*16<<10))
}
