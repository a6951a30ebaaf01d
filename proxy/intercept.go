package proxy

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/reason"
)

// keptOfError are the fields of an application's error that stay on the page that
// replaces it.
var keptOfError = []string{
	"Access-Control-Allow-Credentials", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", // without them a script cannot read even the status
	"Age", "Allow", "Cache-Control", "Cache-Status", "Content-Range", "Retry-After", "Set-Cookie", "Vary", "Www-Authenticate",
}

// intercept replaces an upstream's answer, new or kept, by an error page, if the route
// says so for its status.
func (x *exchange) intercept(res *message.Response) *message.Response {
	if !slices.Contains(x.route.Intercept, res.StatusCode) || !x.byApplication() || x.grpc || isStream(res) {
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
	switch {
	case len(h["Cache-Control"]) == 0:
		h.Set("Cache-Control", "no-store")
	case !listHas(h["Vary"], "Accept") && !listHas(h["Vary"], "*"):
		h.Add("Vary", "Accept") // which chooses between the pages
	}
	page := &http.Response{StatusCode: res.StatusCode, Header: h, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, ContentLength: int64(len(body))}
	if x.request.Method != http.MethodHead {
		page.Body = io.NopCloser(strings.NewReader(body))
	}
	answer := new(message.Response)
	answer.SetHTTP(page)
	return answer
}

// byApplication reports whether the answer is an upstream's, new or kept, and not a fixed
// response.
func (x *exchange) byApplication() bool {
	return x.answer.from != nil || x.record.Cache != 0 || x.record.Absorbed == reason.ByStale
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
