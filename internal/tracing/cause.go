//go:build !minimal

package tracing

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
)

// statusKeeper remembers what the endpoint answered last. The exporter's error
// has that only beside the endpoint's whole address and the body of the answer,
// either of which may be, or repeat, a secret.
type statusKeeper struct {
	next *http.Transport
	last atomic.Int64 // status; 0 = no answer
}

// RoundTrip implements [http.RoundTripper].
func (k *statusKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	k.last.Store(0)
	res, err := k.next.RoundTrip(r)
	if err == nil {
		k.last.Store(int64(res.StatusCode))
	}
	return res, err
}

// cause says why sending has failed.
func (k *statusKeeper) cause(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err.Error()
	}
	if status := k.last.Load(); status >= 300 {
		return fmt.Sprintf("answered %d", status)
	}
	return "the endpoint did not take them"
}
