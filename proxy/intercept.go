package proxy

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// keptOfError are the fields of an application's error that stay on the page that
// replaces it.
var keptOfError = []string{"Allow", "Cache-Control", "Content-Range", "Retry-After", "Set-Cookie", "Vary", "Www-Authenticate"}

// intercept replaces an upstream's answer by an error page, if the route says so for its
// status.
func (x *exchange) intercept(res *message.Response) *message.Response {
	if !slices.Contains(x.route.Intercept, res.StatusCode) || x.answer.from == nil || x.grpc || isStream(res) {
		return res
	}
	res.Body.Close()
	body, contentType := x.proxy.opts.Pages.body(x.request, Page{
		Status:    res.StatusCode,
		Title:     http.StatusText(res.StatusCode),
		Reason:    x.record.Reason.String(),
		Text:      interceptedText(res.StatusCode),
		RequestID: x.record.ID,
	})
	h := http.Header{"Content-Type": {contentType}, "Content-Length": {strconv.Itoa(len(body))}}
	fields := res.Fields()
	for _, name := range keptOfError {
		if values := fields.Values(name); len(values) > 0 {
			h[name] = values
		}
	}
	if len(h["Cache-Control"]) == 0 {
		h.Set("Cache-Control", "no-store")
	}
	page := &http.Response{StatusCode: res.StatusCode, Header: h, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, ContentLength: int64(len(body))}
	if x.request.Method != http.MethodHead {
		page.Body = io.NopCloser(strings.NewReader(body))
	}
	answer := new(message.Response)
	answer.SetHTTP(page)
	return answer
}

func interceptedText(status int) string {
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return "There is nothing at this address."
	case status < 500:
		return "The application did not accept the request."
	}
	return "The application could not answer the request."
}
