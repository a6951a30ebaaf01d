package registry

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// HTTPOptions configure a list of upstreams on an HTTP server.
type HTTPOptions struct {
	URL    string
	Access Access // its Address is not used
	Base   discovery.Target
	Every  time.Duration // time between requests
	Wait   time.Duration // longest time that the server holds a request; 0 = none
}

// HTTP queries a list of upstreams. It sends the tag of its list in If-None-Match, and
// with Wait also "Prefer: wait", which lets the server hold the request until the list
// changes (RFC 7240, section 4.3).
type HTTP struct {
	*client
	options HTTPOptions
	path    string
	query   url.Values
	etag    string // tag of the last good list; "" = none
}

// NewHTTP returns a source for a list.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("the URL cannot be read")
	}
	o.Access.Address = u.Scheme + "://" + u.Host
	for _, values := range u.Query() {
		o.Access.Secrets = append(o.Access.Secrets, values...)
	}
	h := &HTTP{client: newClient(o.Access), options: o, path: u.EscapedPath(), query: u.Query()}
	if h.path == "" {
		h.path = "/"
	}
	return h, nil
}

// Ask queries once.
func (h *HTTP) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	header := map[string]string{"Accept": "application/json, application/yaml, text/plain;q=0.9"}
	conditional := h.etag != "" && !fresh
	if conditional {
		header["If-None-Match"] = h.etag
		if h.options.Wait > 0 {
			header["Prefer"] = "wait=" + strconv.Itoa(int(h.options.Wait.Seconds()))
		}
	}
	began := time.Now()
	body, got, err := h.ask(ctx, request{method: http.MethodGet, path: h.path, query: h.query, header: header})
	var found discovery.Found
	if r, ok := errors.AsType[*refused](err); ok && r.status == http.StatusNotModified && conditional {
		found.Unchanged = true
		if h.options.Wait == 0 || time.Since(began) < h.options.Wait/2 {
			found.After = h.options.Every // the server does not hold requests
		}
		return found, nil
	}
	if err != nil {
		return found, err
	}
	if kind, _, _ := mime.ParseMediaType(got.Get("Content-Type")); strings.HasPrefix(kind, "text/html") {
		return found, errors.New("the answer is a web page (text/html): expected a list of upstreams")
	}
	if found.Targets, err = discovery.ParseList(body, h.options.Base); err != nil {
		return found, err
	}
	if h.etag = got.Get("ETag"); h.options.Wait == 0 || h.etag == "" {
		found.After = h.options.Every
	}
	return found, nil
}
