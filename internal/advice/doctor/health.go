package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// usualHealthPaths returns the paths to try if the configured health check fails.
func usualHealthPaths() []string {
	return []string{"/healthz", "/health", "/readyz", "/ready", "/up", "/status", "/ping", "/"}
}

// checkHealth makes the configured health check once.
func (e *examination) checkHealth(ctx context.Context, p place) {
	h := e.Health
	if h == nil {
		return
	}
	a := e.ask(ctx, p, h.request(e, h.Path))
	defer a.close()
	if a.response == nil {
		e.failed("health", a.took, "%s: %s", a.request, a.trouble())
		e.unhealthy("health_no_answer", fmt.Sprintf("the health check %s: %s, but the upstream answers other requests", a.request, a.trouble()), "")
		return
	}
	status := a.response.StatusCode
	if h.Passes(status) && a.took <= h.Timeout {
		e.step("health", a.took, "%s: %s", a.request, a.response.Status)
		return
	}
	e.failed("health", a.took, "%s: %s", a.request, a.response.Status)
	seen := fmt.Sprintf("the health check %s gets %s; it passes with %s", a.request, a.response.Status, h.Status)
	code := "health_status"
	switch {
	case h.Passes(status):
		code = "health_slow"
		seen = fmt.Sprintf("the health check %s took %s; its timeout is %s", a.request, span(a.took.Round(time.Millisecond)), span(h.Timeout))
	case status == http.StatusNotFound:
		code = "health_not_found"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		code = "health_auth"
	case status >= 300 && status < 400:
		code = "health_redirect"
		seen += "; it redirects to " + origin(a.response)
	}
	e.unhealthy(code, seen, e.betterPath(ctx, p))
}

func (h *Health) request(e *examination, path string) request {
	return request{method: cmp.Or(h.Method, http.MethodGet), path: path, host: cmp.Or(h.Host, e.host()), header: h.Header}
}

// betterPath returns the first usual path with a good answer, "" if there is none.
func (e *examination) betterPath(ctx context.Context, p place) string {
	for _, path := range usualHealthPaths() {
		if path == e.Health.Path {
			continue
		}
		a := e.ask(ctx, p, e.Health.request(e, path))
		a.close()
		if a.response != nil && a.response.StatusCode/100 == 2 && e.Health.Passes(a.response.StatusCode) && a.took <= e.Health.Timeout {
			return path
		}
	}
	return ""
}

func (e *examination) unhealthy(code, seen, better string) {
	f := broken(code, reason.NoUpstream)
	f.Seen = seen
	f.Means = "the upstream counts as down although it serves requests; if all upstreams do, clients get 503"
	f.Do = map[string]string{
		"health_not_found": "check a path that exists in the application",
		"health_auth":      "check a path that needs no credentials, or send them (headers)",
		"health_redirect":  "check the path it redirects to",
		"health_slow":      "check a path that does less work",
		"health_status":    "find out why the application calls itself unhealthy",
		"health_no_answer": "check a path that answers",
	}[code]
	if better != "" {
		f.Seen += fmt.Sprintf("; GET %s passes", better)
		f.Directive = set(e.Words.HealthPath, better)
	}
	if code == "health_status" && strings.HasPrefix(seen, "the health check") && better == "" {
		f.Confidence = finding.Likely
	}
	e.find(f)
}
