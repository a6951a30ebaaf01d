package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// judgeStatus examines the status of the plain request.
func (e *examination) judgeStatus(ctx context.Context, p place, a *answer) {
	r := a.response
	switch {
	case r.StatusCode == http.StatusLoopDetected:
		f := broken("loop", reason.LoopDetected)
		f.Confidence = finding.Likely
		f.Seen = fmt.Sprintf("%s gets %s", a.request, r.Status)
		f.Means = "no application saw the request: a proxy passed it on, and it came back to that proxy"
		f.Do = "check where that address leads; the upstream must be the application's address, not a proxy's own"
		if strings.Contains(strings.Join(r.Header.Values("Proxy-Status"), ","), "proxy_loop_detected") {
			f.Confidence = finding.Certain
			f.Means = "no application saw the request: goodgate's own request came back to goodgate, which answered it"
		}
		e.find(f)
	case r.StatusCode >= 502 && r.StatusCode <= 504:
		f := broken("upstream_status", reason.UpstreamStatus)
		f.Seen = fmt.Sprintf("%s gets %s from the upstream itself", a.request, r.Status)
		f.Means = "the error comes from the application, or from a proxy in it, not from this proxy"
		f.Do = "check the application's log; it may still be starting, or may lack its own upstream or database"
		e.find(f)
	case r.StatusCode == http.StatusInternalServerError:
		f := broken("application_error", reason.None)
		f.Severity = finding.Warning
		f.Seen = fmt.Sprintf("%s gets %s", a.request, r.Status)
		f.Means, f.Do = "the application fails", "check the application's log"
		e.find(f)
	case r.StatusCode >= 300 && r.StatusCode < 400:
		e.judgeRedirect(ctx, p, a)
	}
}

// judgeRedirect recognizes an endless redirect to https: the application does not know
// that the client already uses https.
func (e *examination) judgeRedirect(ctx context.Context, p place, a *answer) {
	if !e.HTTPSClients || e.TLS != nil || !toHTTPS(a.response) {
		return
	}
	told := a.request
	told.header = map[string]string{"X-Forwarded-Proto": "https"}
	b := e.ask(ctx, p, told)
	defer b.close()
	f := broken("redirect_loop", reason.None)
	f.Confidence = finding.Likely
	f.Seen = fmt.Sprintf("%s is redirected to %s, although clients use https", a.request, origin(a.response))
	f.Means = "the application takes every request for an insecure one, so browsers stop after too many redirects"
	f.Do = "tell the application that the client used https"
	if b.response != nil && !toHTTPS(b.response) {
		f.Confidence = finding.Certain
		f.Seen += "; with X-Forwarded-Proto: https it is not redirected"
	}
	f.Directive = set(e.Words.Proto, "")
	e.find(f)
}

func toHTTPS(r *http.Response) bool {
	u, err := url.Parse(r.Header.Get("Location"))
	return err == nil && r.StatusCode >= 300 && r.StatusCode < 400 && u.Scheme == "https"
}

// origin returns the target of a redirect without the parts that may be secret.
func origin(r *http.Response) string {
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		return "an address that is none"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
