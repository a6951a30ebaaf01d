package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

const (
	// longHeader is the size of a header from a browser with many cookies, in bytes. It
	// is below the limit of any usual server.
	longHeader = 7 << 10
	// quick is the longest response time at which more requests are no burden.
	quick = 500 * time.Millisecond
)

// checkLimits repeats the request with a long header, and with Expect: 100-continue
// (RFC 9110, section 10.1.1), which curl sends before large bodies.
func (e *examination) checkLimits(ctx context.Context, p place, plain *answer) {
	if plain.took > quick || plain.response.StatusCode >= 400 {
		return
	}
	e.vary(ctx, p, "headers", map[string]string{"X-Goodgate-Doctor": strings.Repeat("x", longHeader)}, finding.Finding{
		Code: "request_header_limit", Reason: reason.UpstreamStatus,
		Means: "only users with many or long cookies get this answer",
		Do:    "make the application accept larger request headers (Node: --max-http-header-size; gunicorn: --limit-request-field_size)",
	})
	e.vary(ctx, p, "expect", map[string]string{"Expect": "100-continue"}, finding.Finding{
		Code: "expect_refused", Reason: reason.UpstreamStatus,
		Means: "the upstream refuses clients that ask before they send a large body, for example curl",
		Do:    "remove the Expect header from requests to this upstream",
	})
}

// vary repeats the request with more headers. It adds f if they alone make the request
// fail.
func (e *examination) vary(ctx context.Context, p place, step string, header map[string]string, f finding.Finding) {
	r := e.request()
	r.header = header
	a := e.ask(ctx, p, r)
	defer a.close()
	what := map[string]string{"headers": fmt.Sprintf("with %d KiB of headers", longHeader>>10), "expect": "with Expect: 100-continue"}[step]
	if a.response != nil && a.response.StatusCode < http.StatusBadRequest {
		e.step(step, a.took, "%s: %s", what, a.response.Status)
		return
	}
	got := a.trouble()
	if a.response != nil {
		got = a.response.Status
	}
	e.failed(step, a.took, "%s: %s", what, got)
	f.Severity, f.Confidence = finding.Warning, finding.Certain
	f.Seen = fmt.Sprintf("%s %s %s: %s; without: answered", r.method, r.path, what, got)
	e.find(f)
}
